# common.sh - what the scripts here share; sourced, with the repository's top as working directory afterwards.
#
# Under sudo the tree stays its owner's: whatever is built is built as SUDO_UID:SUDO_GID.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 4
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # bpftool, knotd; a user's PATH may lack them
readonly EXIT_USAGE=2 EXIT_BROKEN=4 EXIT_PRIVILEGES=77 # as azlab's own

say() { printf '== %s\n' "$*"; }
die() { # STATUS MESSAGE
  printf '%s: %s\n' "scripts/${0##*/}" "$2" >&2
  exit "$1"
}

# The comment at the head of a script is its help.
usage() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"; }

need_root() {
  ((EUID == 0)) || die $EXIT_PRIVILEGES "labs are made of namespaces and BPF, which need root: sudo scripts/${0##*/}"
}

# Runs a command as who called sudo, else as oneself.
as_caller() {
  if ((EUID == 0 && ${SUDO_UID:-0} != 0)); then
    local groups=--init-groups
    getent passwd "$SUDO_UID" >/dev/null || groups=--clear-groups
    setpriv --reuid "$SUDO_UID" --regid "$SUDO_GID" "$groups" -- "$@"
  else
    "$@"
  fi
}

# Makes a folder that belongs to the caller, with all in it: what root has left there would refuse him.
own_folder() { # FOLDER
  local owner=${SUDO_UID:-$EUID}
  mkdir -p "$1"
  ((EUID != 0)) || [[ -z $(find "$1" ! -uid "$owner" -print -quit) ]] || chown -R "$owner:${SUDO_GID:-0}" "$1"
}

# make, as the caller, with a line for whoever waits; what make says only if it fails.
build() { # WHAT MAKE-ARGUMENT...
  local what=$1 log start=$SECONDS status=0
  shift
  own_folder build
  log=build/make-${what//[^a-z]/-}.log
  say "building $what ..."
  as_caller make -j"$(nproc)" "$@" </dev/null >"$log" 2>&1 || status=$?
  own_folder build
  if ((status)); then
    tail -n 40 "$log" >&2
    printf '%s\n' "make failed; all that it said is in $log" >&2
    return $EXIT_BROKEN
  fi
  say "built $what in $((SECONDS - start)) s"
}
