#!/usr/bin/env bash
# The BPF programs on the oldest kernel that azlab supports (docs/kernel.md): an emulator boots Debian 12's Linux 6.1, whose
# verifier knows less than a younger one's, and runs the tests there that need nothing but bpf_prog_test_run.
# Nothing is installed: the kernel is unpacked below build/floor/. Needs neither root nor KVM.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 4
: "${O:=build}"
FLOOR=6.1
PROGRAMS="test_fault_program test_nlb_prog"
dir=$O/floor number=0 failed=0

skip() { echo "1..0 # SKIP $1"; exit 77; }
result() { # "ok"|"not ok" TEXT
  number=$((number + 1))
  echo "$1 $number - $2"
  [[ $1 == ok ]] || failed=1
}

fetch_kernel() {
  local package
  package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends:/ { print $2; exit }')
  [[ $package == linux-image-$FLOOR.* ]] || skip "needs Debian 12's package sources, where Linux $FLOOR is"
  mkdir -p "$dir"
  (cd "$dir" && apt-get -q download "$package" && dpkg-deb --extract "$package"_*.deb . && rm "$package"_*.deb) >"$dir/fetched" 2>&1 ||
    skip "cannot fetch $package: $(tail -n 1 "$dir/fetched")"
}
kernel() { ls "$dir"/boot/vmlinuz-"$FLOOR".* 2>/dev/null; }

# The programs, the libraries that they are linked with, and what starts them.
make_initrd() {
  local root=$dir/root program
  rm -rf "$root" && mkdir -p "$root/tests" && gcc -static -O2 -o "$root/init" tests/floor/init.c || return
  for program in $PROGRAMS; do
    cp "$O/tests/netns/$program" "$root/tests/" || return
    ldd "$O/tests/netns/$program" | grep -o '/[^ ]*' | xargs -I FILE cp -L --parents FILE "$root" || return
  done
  (cd "$root" && find . | cpio --quiet -o -H newc) | gzip -1 >"$dir/initrd"
}

boot() {
  timeout --foreground 500 qemu-system-x86_64 -accel tcg -cpu max -m 1024 -nic none -nographic -no-reboot \
    -kernel "$(kernel)" -initrd "$dir/initrd" -append "console=ttyS0 quiet panic=-1" </dev/null
}

[[ $(dpkg --print-architecture 2>/dev/null) == amd64 ]] || skip "the emulator is asked for amd64 alone"
for program in qemu-system-x86_64 cpio; do command -v $program >/dev/null || skip "needs $program"; done
[[ -n $(kernel) ]] || fetch_kernel
make_initrd || { echo "Bail out! no initrd"; exit 1; }
boot | tr -d '\r' >"$dir/console"

release=$(sed -n 's/.*== Linux //p' "$dir/console")
[[ $release == "$FLOOR".* ]] && result ok "Linux $release boots" || result "not ok" "Linux $FLOOR boots"
for program in $PROGRAMS; do
  grep -q "^== /tests/$program ended: 0$" "$dir/console" && result ok "$program ends well" || result "not ok" "$program ends well"
done
while read -r line; do
  result "${line%% [0-9]*}" "${line#*- }"
done < <(grep -E '^(not )?ok [0-9]+ - ' "$dir/console")
((!failed)) || sed 's/^/# /' "$dir/console"
echo "1..$number"
exit $failed
