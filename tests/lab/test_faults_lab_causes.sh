#!/usr/bin/env bash
# What made a target unhealthy is told by evidence: dropped checks, late routes and overload each under their own
# name; two unrelated faults at once keep their own effects, whichever comes first.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"
private_host

cat >"$work/causes.yaml" <<'YAML'
zones: [az1, az2, az3]
services:
  shop:
    targets: {per_zone: 2, concurrency: 2, service_time: 40ms, distribution: fixed, queue: 64}
    health_check: {interval: 250ms, timeout: 200ms, rise: 2, fall: 2}
    dns: {ttl: 1s}
    failover: {enabled: off}
clients:
  - {rate: 10/s, timeout: 3s}
faults:
  lossy-checks: {drop: 60%, class: health-check, to: az1}
  slow-routes: {delay: 2s, class: route-update, to: az2}
YAML

mark() { marked=$("$azlab" events causes | wc -l); }
# since FILTER: what happened since the mark, all in one array, through jq
since() { "$azlab" events causes | tail -n "+$((marked + 1))" | jq -s -e -r "$1"; }
unhealthy='map(select(.event == "target.unhealthy"))'
nobody_unhealthy() { since "$unhealthy | . == [] or error(\"\(.)\")"; }
all_healthy() { [ "$(status causes '[.services[].zones[].targets[].healthy] | all')" = true ]; }
is_unhealthy() { since "$unhealthy | any(.target == \"$1\")"; }
# only_because REASON ZONE: targets of this zone were found unhealthy, for this reason
only_because() {
  since "$unhealthy | map(select(.zone == \"$2\")) | (length > 0 and all(.because == \"$1\")) or error(\"\(.)\")"
}
only_in() { since "$unhealthy | all(.zone as \$z | \"$*\" | split(\" \") | index(\$z)) or error(\"\(.)\")"; }
# caused_by_fault NAME: each of az1's was caused by this fault's coming on
caused_by_fault() {
  since "(map(select(.event == \"fault.on\" and .fault == \"$1\"))[0].id) as \$on
         | $unhealthy | map(select(.zone == \"az1\")) | all(.cause == \$on) or error(\"not \(\$on): \(.)\")"
}
# caused_by_route NODE: by the update that its own router was still waiting for, and that by its launch
caused_by_route() {
  since "(map({key: (.id | tostring), value: .}) | from_entries) as \$by_id
         | $unhealthy | map(select(.target == \"$1\"))[0].cause | \$by_id[tostring]
         | (.event == \"route.resent\" and (\$by_id[.cause | tostring].event == \"route.sent\")
            or .event == \"route.sent\") and .instance == \"$1\" and .to == \"az2\" or error(\"\(.)\")"
}
# caused_by_overload: each by its own target's overload
caused_by_overload() {
  since "(map({key: (.id | tostring), value: .}) | from_entries) as \$by_id
         | $unhealthy | all(.target as \$target | \$by_id[.cause | tostring]
                            | .event == \"target.overloaded\" and .node == \$target) or error(\"\(.)\")"
}
lag() { jq -n "$(installed causes "$1" "$2") - $(launched causes "$1")"; }
fault() { "$azlab" fault causes "$@"; }
# apart: each of the two faults did what it does, and nothing else. $new is the instance launched meanwhile.
apart() {
  check "$1: az1's target is unhealthy" wait_for 30 is_unhealthy az1.shop-1
  check "$1: az2's new target is unhealthy" wait_for 30 is_unhealthy "$new"
  check "$1: in az1 because of the fault" only_because fault az1
  check "$1: caused by lossy-checks" caused_by_fault lossy-checks
  check "$1: in az2 because of the route" only_because route az2
  check "$1: az2's old targets and az3's remain healthy" only_in az1 az2
  check_not "$1: az2's old targets too" since "$unhealthy | any(.zone == \"az2\" and .target != \"$new\")"
  check "$1: the new route reaches az2 after 2 s" wait_for 30 installed causes "$new" az2
  check "$1: and not sooner" holds "$(lag "$new" az2) >= 2"
  check_figure "$1: but az1 and az3 at once" \
    holds "$(lag "$new" az1) < 0.5 and $(lag "$new" az3) < 0.5"
  check "$1: faults go off" eval "fault off lossy-checks && fault off slow-routes"
  check "$1: then all are healthy" wait_for 30 all_healthy
}

check "a lab comes up" lab_up causes "$work/causes.yaml"
marked=0
check "two seconds pass" wait_for 30 status causes '.t >= 2 or error'
check "without a fault nobody is unhealthy" nobody_unhealthy

mark
fault on lossy-checks
for node in az1.shop-1 az1.shop-2; do check "checks dropped: $node is unhealthy" wait_for 30 is_unhealthy $node; done
check "checks dropped: because of the fault" only_because fault az1
check "checks dropped: caused by fault.on" caused_by_fault lossy-checks
check "checks dropped: in az1 alone" only_in az1
fault off lossy-checks
check "checks dropped: all are healthy after it" wait_for 30 all_healthy

mark
fault on slow-routes
new=$(launch causes az2)
check "route delayed: the new target is unhealthy" wait_for 30 is_unhealthy "$new"
check "route delayed: because of the route" only_because route az2
check "route delayed: caused by the update that is on its way" caused_by_route "$new"
check "route delayed: the new one alone" since "$unhealthy | all(.target == \"$new\")"
fault off slow-routes
check "route delayed: all are healthy after it" wait_for 30 all_healthy

# Hardly more than the 300/s that the targets can do: queues grow so slowly that checks fail before a request
# has waited for the whole of their time-out.
mark
"$azlab" set causes clients.0.rate=330/s
check "overload: a target is unhealthy" wait_for 30 since "$unhealthy | length > 0"
"$azlab" set causes clients.0.rate=10/s
check "overload: all are healthy after it" wait_for 30 all_healthy
check "overload: because of that alone" since "$unhealthy | all(.because == \"overload\") or error(\"\(.)\")"
check "overload: each caused by its own" caused_by_overload

mark
fault on lossy-checks
fault on slow-routes
new=$(launch causes az2)
apart "checks first, then routes"

mark
fault on slow-routes
new=$(launch causes az2)
fault on lossy-checks
apart "routes first, then checks"

check "the lab goes down" lab_down causes
finish
