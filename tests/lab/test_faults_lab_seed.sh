#!/usr/bin/env bash
# The same seed drops the same checks: of two runs, the n-th check of each target meets the same fate; another seed
# chooses otherwise.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"
private_host

# With rise and fall 1 every change of a check's outcome is an event, with the number of the check.
cat >"$work/seed.yaml" <<'YAML'
zones: [az1, az2]
services:
  shop:
    targets: {per_zone: 2, service_time: 1ms}
    health_check: {interval: 250ms, timeout: 200ms, rise: 1, fall: 1}
faults:
  lossy-checks: {drop: 60%, class: health-check}
scenario:
  - {phase: lossy, at: 0s, do: [fault on lossy-checks]}
  - {phase: end, at: 9s}
YAML

# fates RUN: a line a target, "NAME -+-..." from its first dropped check on: - failed, + passed
fates() {
  jq -r 'select(.event == "target.unhealthy" or .event == "target.healthy")
         | "\(.target) \(.checks) \(if .event == "target.healthy" then "+" else "-" end)"' "$work/$1/events.jsonl" |
    sort -k1,1 -k2,2n | awk '
      { if ($1 in at) for (; at[$1] < $2; at[$1]++) fate[$1] = fate[$1] last[$1]
        at[$1] = $2; last[$1] = $3 }
      END { for (t in at) print t, fate[t] }' | sort
}
# compared RUN: as much of it as every target of every run has for sure
compared() { fates "$1" | awk '{ print $1, substr($2, 1, 20) }'; }
# first_drop RUN: a line a target, which of the checks since the fault came on was the first to be dropped. It began
# a time-out before it failed.
first_drop() {
  jq -s -r '(map(select(.event == "fault.on"))[0].t) as $on
            | map(select(.event == "target.unhealthy")) | group_by(.target)[]
            | "\(.[0].target) \((.[0].t - 0.2 - $on) / 0.25 | floor + 1)"' "$work/$1/events.jsonl"
}
# The moment of the fault falls between two checks of a target, or so near to one that it counts here or there.
same_first_drop() {
  join <(first_drop one) <(first_drop two) | awk '{ print } ($2 - $3) ^ 2 > 1 { wrong = 1 } END { exit wrong || NR != 4 }'
}
long_enough() { compared "$1" | awk '{ print } length($2) < 20 { wrong = 1 } END { exit wrong || NR != 4 }'; }
# share RUN: of all checks that were dropped
share() {
  awk -F, '$5 == "fault.lossy-checks.matched" { m = $6 } $5 == "fault.lossy-checks.dropped" { d = $6 } END { print d / m }' \
    "$work/$1/metrics.csv"
}
# Three at once: they don't share anything. Untrusted is not wrong here: a machine that is late by less than a check's
# time-out changes no fate.
run_all() {
  local name pids=() status result=0
  for name in "$@"; do
    timeout 60 "$azlab" run "$work/seed.yaml" --name "${name%=*}" --seed "${name#*=}" --out "$work/${name%=*}" \
      >"$work/${name%=*}.log" 2>&1 &
    pids+=($!)
  done
  for name in "$@"; do
    wait "${pids[0]}" && status=0 || status=$?
    pids=("${pids[@]:1}")
    [ $status -eq 0 ] || [ $status -eq 3 ] || { cat "$work/${name%=*}.log" && result=1; }
  done
  return $result
}

check "two runs of seed 7 and one of seed 8 end" run_all one=7 two=7 other=8
for name in one two other; do
  check "$name: the fates of at least 20 checks of every target are known" long_enough $name
  check "$name: about 60 % of the checks were dropped" holds "$(share $name) | . > 0.45 and . < 0.75"
  compared $name >"$work/$name.fates"
done
check "the same seed drops the same checks of each target" same "$work/one.fates" "$work/two.fates"
check "it begins with the same one" same_first_drop
check_not "another seed drops others" same "$work/one.fates" "$work/other.fates"
finish
