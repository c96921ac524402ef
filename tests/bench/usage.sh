# usage.sh - memory and CPU of a running lab's processes. Sourced; needs $azlab, and $work to write to.

# usage LAB SECONDS: a line a process, its daemon, CPU ticks used in that time, and memory (PSS) in kB.
usage() {
  local daemon pid before
  processes_of "$1" | while read -r daemon pid; do echo "$daemon $pid $(ticks "$pid")"; done >"$work/before"
  sleep "$2" # the span that is measured
  while read -r daemon pid before; do
    echo "$daemon $(($(ticks "$pid") - before)) $(pss_kb "$pid")"
  done <"$work/before"
}
processes_of() { # LAB
  "$azlab" ls --json | jq -r --arg l "$1" '.[] | select(.lab == $l) | "orchestrator \(.pid)"'
  "$azlab" status "$1" --json | jq -r '.nodes[] | "\(.daemon) \(.pid)"'
}
ticks() { # of user and system time so far; the command's name may hold blanks
  sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'
}
pss_kb() {
  awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"
}
