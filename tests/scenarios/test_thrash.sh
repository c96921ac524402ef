#!/usr/bin/env bash
# The lab's main claim, with its controls: a delay of route updates makes zones thrash that are alive and
# reachable, it does not end by itself, a rate limit on failover ends it; and without the cause, or with the
# limit from the start, or with capacity to spare, nothing of it happens.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/scenarios/lib.sh
T=topologies/az-thrash.yaml
rate=$(awk '/rate: [0-9]+\/s, timeout/ { sub(/.*rate: /, ""); sub(/\/s.*/, ""); print; exit }' "$T")
checks_per_s=18 # 9 targets, one check each 500 ms

if [[ ${SAN:-} ]]; then
  ok "az-thrash plays to its end" sound san "$T" --seed 1
  ok "no sanitizer has said anything" silent
  ok "no node ended by itself" test "$(events san '.event == "node.exited" and .expected == false')" = 0
  ok "the answer was never empty" holds san '.empty_answer_s == 0'
  ok "the stimulus happened" test "$(last san fault.slow-routes.delayed)" -gt 0
  ok "nothing is left of it" nothing_left san
  finish
  exit
fi

no_fault=(--set 'scenario.1.do=[]' --set 'scenario.2.do=[]' --set 'scenario.3.do=[]' --set 'expect=[]')
limited=(--set services.shop.failover.rate_limit=on --set 'scenario.3.do=[]' --set 'expect=[]')
unlimited=(--set 'scenario.3.do=[]' --set 'expect=[]')

# thrash NAME SEED [arguments]: does this seed thrash? Only that may be asked again of other seeds: it is the
# one bound that chance may miss, and then both others must show it.
after_thrashes='.phases.after.zone_removals >= 8 and .phases.after.zones >= 2'
goes_on='[.phases[] | select(.from_s >= 50) | .zone_removals] | add >= 8'
shows() {
  local name=$1 claim=$2 seed
  shift 2
  holds "$name" "$claim" && return 0
  for seed in 2 3; do
    run "$name-$seed" "$@" --seed "$seed" && holds "$name-$seed" "$claim" || return 1
  done
}
stimulus() {
  local name=$1 delayed
  delayed=$(last "$name" fault.slow-routes.delayed)
  echo "# $name: $delayed route updates delayed"
  ((delayed > 0)) && (($(events "$name" '.event == "instance.launched" and .t > 9') == 2))
}

ok "az-thrash runs and can be believed" run thrash "$T" --seed 1
ok "calm: no zone is removed, error rate under 0.1 %" holds thrash '.phases.calm | .zone_removals == 0 and .error_rate < 0.001'
ok "after the fault: at least 8 removals over at least 2 zones" shows thrash "$after_thrashes" "$T"
ok "all of them are false: targets alive and routed" holds thrash '.phases.after | .false_removals == .zone_removals'
ok "limited: at most 2 removals in 30 s" holds thrash '[.phases.limited, .phases.settled | .zone_removals] | add <= 2'
ok "settled: error rate under 1 %" holds thrash '.phases.settled.error_rate < 0.01'
ok "the stimulus happened: updates delayed, two instances replaced" stimulus thrash
ok "exactly the requests of the seed's schedule" asked thrash 1 "$rate" 80
ok "checks within 5 % of interval x targets" checked thrash $checks_per_s 20 80

ok "without the limit: runs" run unlimited "$T" --seed 1 "${unlimited[@]}"
ok "without the limit: it does not end by itself" shows unlimited "$goes_on" "$T" "${unlimited[@]}"
ok "without the limit: the stimulus was the same" stimulus unlimited

ok "control, no fault: runs" run calm "$T" --seed 1 "${no_fault[@]}"
ok "control, no fault: 0 removals in 80 s" holds calm '.zone_removals == 0 and .error_rate < 0.001'
ok "control, no fault: exactly the requests of the seed's schedule" asked calm 1 "$rate" 80
ok "control, no fault: checks within 5 %" checked calm $checks_per_s 0 80

ok "control, limited from the start: runs" run limited "$T" --seed 1 "${limited[@]}"
ok "control, limited from the start: at most 2 removals" holds limited '.zone_removals <= 2'
ok "control, limited from the start: the stimulus happened" stimulus limited

ok "control, 40 % load: runs" run light "$T" --seed 1 "${unlimited[@]}" --set clients.0.rate=288/s
ok "control, 40 % load: no removal later than 5 s after the replacement" test "$(events light '.event == "zone.removed" and .t > 15')" = 0
ok "control, 40 % load: the stimulus happened" stimulus light
ok "control, 40 % load: exactly the requests of the seed's schedule" asked light 1 288 80

lying() {
  local dropped
  dropped=$(last checks fault.lossy-checks.dropped)
  echo "# checks: $dropped checks dropped"
  ((dropped > 0)) && (($(events checks '.event == "instance.launched" and .t > 0') == 0))
}
ok "lying checks: az-thrash-checks runs" run checks topologies/az-thrash-checks.yaml --seed 1
ok "lying checks: at least 8 removals over at least 2 zones" shows checks "$after_thrashes" topologies/az-thrash-checks.yaml
ok "lying checks: all of them are false" holds checks '.phases.after | .false_removals == .zone_removals'
ok "lying checks: the limit ends it" holds checks '.phases.settled | .zone_removals <= 2 and .error_rate < 0.01'
ok "lying checks: checks were dropped, nothing was replaced" lying
finish
