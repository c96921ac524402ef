# shellcheck shell=bash
# lib.sh - what the lab tests share. A test is a bash program:
#
#   . "$(dirname "$0")/lib.sh"
#   private_host                      # its own /run, /etc and processes; before anything else
#   small_topology > "$work/t.yaml"
#   check "a lab comes up" lab_up one "$work/t.yaml"
#   check "az1 is in DNS" wait_for 5 zone_is one az1 in
#   finish
#
# Prints TAP; every check is one line, and what a failed one said follows as comments. Nothing here sleeps for
# luck: wait_for() asks until a condition holds or its deadline is over.

set -u
shopt -s inherit_errexit
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(realpath -m "${O:-$top/build}")
azlab=$build/azlab
tests=0 failures=0 finished=

# --- TAP -----------------------------------------------------------------------------------------------------

pass() { tests=$((tests + 1)); echo "ok $tests - $1"; }
fail() { # TEXT [DETAIL...]
  tests=$((tests + 1)) failures=$((failures + 1))
  echo "not ok $tests - $1"
  shift
  [ $# -eq 0 ] || printf '%s\n' "$@" | sed 's/^/# /'
}
# check TEXT COMMAND...: the command has to succeed
check() {
  local text=$1 said
  shift
  if said=$("$@" 2>&1); then pass "$text"; else fail "$text" "failed ($?): $*" "$said"; fi
}
# check_not TEXT COMMAND...: the command has to fail
check_not() {
  local text=$1 said
  shift
  if said=$("$@" 2>&1); then fail "$text" "should have failed: $*" "$said"; else pass "$text"; fi
}
# check_exit TEXT STATUS PATTERN COMMAND...: ends with this status, and what it says (both outputs) matches the
# extended regular expression; an empty pattern: it says nothing at all
check_exit() { ends_with any "$@"; }
# The same, and what it says is one line.
check_line() { ends_with one "$@"; }
ends_with() {
  local lines=$1 text=$2 wanted=$3 pattern=$4 said status
  shift 4
  said=$("$@" 2>&1) && status=0 || status=$?
  if [ "$status" != "$wanted" ]; then
    fail "$text" "exit status $status, expected $wanted: $*" "$said"
  elif [ -z "$pattern" ] && [ -n "$said" ]; then
    fail "$text" "should say nothing: $*" "$said"
  elif [ "$lines" = one ] && [ "$(wc -l <<<"$said")" -ne 1 ]; then
    fail "$text" "says more than one line: $*" "$said"
  elif ! grep -qE -- "$pattern" <<<"$said"; then
    fail "$text" "says nothing that matches /$pattern/: $*" "$said"
  else
    pass "$text"
  fi
}
same() { # FILE FILE: no difference
  diff -u "$1" "$2"
}
skip_all() {
  echo "ok 1 - all of it # SKIP $1"
  finished=yes
  exit 0
}
finish() {
  echo "1..$tests"
  finished=yes
  [ "$failures" -eq 0 ]
  exit
}

# --- waiting -------------------------------------------------------------------------------------------------

# wait_for SECONDS COMMAND...: asks every 50 ms until the command succeeds; its last words if it never does.
# What has to happen at some time gets 30 s: only a failure takes that long, on the slowest machine as well.
wait_for() {
  local deadline=$(($(date +%s%N) + $1 * 1000000000)) said
  shift
  until said=$("$@" 2>&1); do
    if [ "$(date +%s%N)" -gt "$deadline" ]; then
      printf 'never came true: %s\n%s\n' "$*" "$said"
      return 1
    fi
    sleep 0.05
  done
}

# --- a host of its own ---------------------------------------------------------------------------------------

# The test goes on in a mount and PID namespace of its own: /run is empty, /etc a copy, and every process it
# can see is its own or of its labs. So it neither meets nor disturbs other labs of the machine, and nothing
# outlives it, however it ends. The network namespace stays the host's.
private_host() {
  if [ "$(id -u)" -ne 0 ]; then skip_all "needs root"; fi
  for program in jq unshare setpriv; do
    command -v "$program" >/dev/null || skip_all "needs $program"
  done
  [ -x "$azlab" ] || skip_all "$azlab is not built"
  if [ -z "${AZLAB_TEST_PRIVATE:-}" ]; then
    AZLAB_TEST_PRIVATE=1 exec unshare --mount --propagation private --pid --fork --kill-child --mount-proc "$0" "$@"
  fi
  # copies of other labs' namespaces would keep these alive
  grep -o ' /run/[^ ]* ' /proc/self/mounts | tac | xargs -r umount -l 2>/dev/null
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir /run/test-etc
  find /etc -mindepth 1 -maxdepth 1 ! -name netns -exec cp -a -t /run/test-etc {} +
  mount --bind /run/test-etc /etc
  work=$(mktemp -d /tmp/azlab-test-XXXXXX)
  trap end_test EXIT
  trap 'exit 130' INT TERM HUP
  cd "$work" || exit 1 # run folders go here
}
end_test() {
  local lab
  [ -n "$finished" ] || fail "the test ended before its end"
  for lab in $("$azlab" ls --json 2>/dev/null | jq -r '.[] | select(.state == "up").lab'); do
    timeout 30 "$azlab" down "$lab" >/dev/null 2>&1
  done
  [ -z "${KEEP:-}" ] || { echo "# kept: $work"; return; }
  cd / && rm -rf --one-file-system "$work"
}

# --- topologies ----------------------------------------------------------------------------------------------

# small_topology [YAML...]: two zones of two targets, quick checks, little load; further members after it.
small_topology() {
  cat <<'YAML'
zones: [az1, az2]
services:
  shop:
    targets: {per_zone: 2, service_time: 10ms}
    health_check: {interval: 200ms, timeout: 100ms, rise: 2, fall: 2}
    dns: {ttl: 1s}
    failover: {stages: [{velocity: {max_removed: 50%, per: 60s}}]}
clients:
  - {rate: 20/s, timeout: 500ms}
faults:
  slow-routes: {delay: 1s, class: route-update, to: az1}
  no-checks: {drop: 100%, class: health-check, to: az1}
YAML
  [ $# -eq 0 ] || printf '%s\n' "$@"
}

# --- a running lab -------------------------------------------------------------------------------------------

# lab_up LAB TOPOLOGY [OPTION...]: its run folder will be $work/LAB
lab_up() {
  local lab=$1 topology=$2
  shift 2
  timeout 120 "$azlab" up "$topology" --name "$lab" --out "$work/$lab" "$@"
}
lab_down() { timeout 60 "$azlab" down "$1"; }
# status LAB FILTER: of `azlab status --json`, through jq (which is content with no input at all: a lab that does not
# answer must not pass for one that does)
status() {
  local json
  json=$("$azlab" status "$1" --json) && jq -e -r "$2" <<<"$json"
}
orchestrator_of() { "$azlab" ls --json | jq -r --arg lab "$1" '.[] | select(.lab == $lab).pid'; }
# zone_is LAB ZONE in|out
zone_is() {
  [ "$(status "$1" ".services[0].zones[] | select(.zone == \"$2\").in_answer")" = "$([ "$3" = in ] && echo true || echo false)" ]
}
# target_is LAB NODE FLAG true|false: FLAG is healthy, well, overloaded or registered
target_is() {
  [ "$(status "$1" "[.services[].zones[].targets[] | select(.node == \"$2\").$3] | first")" = "$4" ]
}
# has_event LAB FILTER: an event so far for which the jq condition holds
has_event() { "$azlab" events "$1" | jq -e -s "any(.[]; $2)" >/dev/null; }

# --- what a host looks like ----------------------------------------------------------------------------------

# Its own network: links, addresses, routes, rules, firewall, sysctls. Counters and clocks are left out.
host_network() {
  ip -details -json link show | jq -S 'map(del(.stats, .stats64))'
  ip -json address show | jq -S 'map(.addr_info |= map(del(.valid_life_time, .preferred_life_time)))'
  ip -4 route show table all && ip -6 route show table all | sed "s, expires [0-9]*sec,,"
  ip rule show && ip -6 rule show
  if command -v nft >/dev/null; then nft -s list ruleset 2>/dev/null; fi
  if command -v iptables-save >/dev/null; then iptables-save 2>/dev/null | grep -v '^[#:]'; fi
  find /proc/sys/net -type f -readable ! -name '*conntrack_count' ! -name flush | sort | xargs grep -s '' --
  echo "processes: $(cat /proc/sys/kernel/pid_max)"
}
# Everything that a lab makes outside its own namespaces.
shared_places() {
  local place
  for place in /run/azlab /run/netns /etc/netns; do
    [ ! -e "$place" ] || find "$place" | sort
  done
  findmnt -rn -o TARGET | grep '^/run/netns' || true
}
# Processes of labs: by the file that they execute, whatever they call themselves.
lab_processes() {
  local pid exe
  for pid in /proc/[0-9]*; do
    exe=$(readlink "$pid/exe") || continue
    case $exe in
      "$build"/azlab* | */knotd | */unbound | */dumpcap) echo "${pid#/proc/} ${exe##*/}" ;;
    esac
  done
}
no_lab_processes() {
  local left
  left=$(lab_processes)
  [ -z "$left" ] || { echo "$left"; return 1; }
}
# Ids of BPF programs that hang on links of a lab: of its backbone, routers and load balancers
bpf_programs_of() {
  local path
  for path in /run/netns/"$1".backbone /run/netns/"$1".az[0-9] /run/netns/"$1".*.nlb; do
    nsenter --net="$path" bpftool -j net show 2>/dev/null | jq -r '.[].tc[]?.id'
  done | sort -un
}
# Ids of the maps that these programs use
bpf_maps_of() {
  local id
  for id in "$@"; do bpftool -j prog show id "$id" | jq -r '.map_ids[]?'; done | sort -un
}
# gone KIND ID...: no prog or map has one of these ids any more
gone() {
  local kind=$1 id
  shift
  for id in "$@"; do
    if bpftool "$kind" show id "$id" >/dev/null 2>&1; then echo "$kind $id is still there"; return 1; fi
  done
}
