#!/usr/bin/env bash
# A checker that may only make one check at a time, of targets that answer after 200 ms: checks run late, and the
# interval stretches to what the work takes. By default nothing bounds it, and no check is late.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"
private_host

# 3 targets x 200 ms, one after another: 600 ms between two checks of a target instead of 300
cat >"$work/late.yaml" <<'YAML'
zones: [az1]
services:
  shop:
    targets: {per_zone: 3, service_time: 200ms, distribution: fixed}
    health_check: {interval: 300ms, timeout: 1s, rise: 1}
scenario:
  - {phase: calm, at: 0s}
  - {phase: end, at: 8s}
YAML

run() {
  local name=$1 status
  shift
  timeout 60 "$azlab" run "$work/late.yaml" --name "$name" --out "$work/$name" "$@" >"$work/$name.log" 2>&1 && status=0 || status=$?
  [ $status -eq 0 ] || [ $status -eq 3 ] || cat "$work/$name.log"
}
# interval NAME: between two checks of a target, from those made in whole seconds of the run
interval() {
  awk -F, '$5 == "checks.made" && $1 > 1 { n++; made += $6 } END { print 3 * n / made }' "$work/$1/metrics.csv"
}
late() { awk -F, '$5 == "checks.late" { n += $6 } END { print n + 0 }' "$work/$1/metrics.csv"; }
late_events() { jq -s '[.[] | select(.event == "check.late")] | length' "$work/$1/events.jsonl"; }

run one --set services.shop.health_check.concurrency=1 &
run many & 
wait
check "with one check at a time check.late appears" holds "$(late_events one) > 0"
check_figure "it tells by how much, and of a longer interval" \
  jq -s -e 'map(select(.event == "check.late")) | all(.late_ms > 0 and .interval_ms > 300 and .interval_ms < 900)' \
  "$work/one/events.jsonl"
check "most checks are late" holds "$(late one) >= 25"
check_figure "the interval is 3 x 200 ms, to 5 %" holds "$(interval one) | . > 0.57 and . < 0.63"
check "late checks alone remove nobody" \
  jq -s -e 'map(select(.event == "target.unhealthy")) == []' "$work/one/events.jsonl"

check "by default there is no check.late" holds "$(late_events many) == 0"
check_figure "no check is late" holds "$(late many) == 0"
check_figure "the interval is 300 ms, to 5 %" holds "$(interval many) | . > 0.285 and . < 0.315"
finish
