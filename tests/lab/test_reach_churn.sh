#!/usr/bin/env bash
# Route updates that overtake each other and arrive twice, while instances come and go at random: in the end every
# router has a route to each instance that is there, and to no other.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"
private_host

changes=1000 # launches and terminations
cat >"$work/churn.yaml" <<'YAML'
zones: [az1, az2, az3]
services:
  shop:
    targets: {per_zone: 2, service_time: 1ms}
    health_check: {protocol: tcp, interval: 10s, rise: 1}
network: {manager: {workers: 8, update_time: 0s}}
faults:
  muddled-routes: {delay: 1ms, jitter: 100ms, duplicate: 50%, reorder: 10%, class: route-update}
YAML

alive() { status churn '.services[].zones[].targets[].node'; }
# addresses 4|6: of all that are alive
addresses() {
  local node
  for node in $(alive); do address churn "$node" "$1"; done | sort
}
# routed ZONE 4|6: what the zone's router leads to
routed() { ip -n "churn.$1" -j "-$2" route show proto 97 | jq -r '.[].dst' | sort; }
routers_agree() {
  local zone family
  for family in 4 6; do
    addresses $family >"$work/addresses"
    for zone in az1 az2 az3; do
      routed $zone $family | diff "$work/addresses" - || { echo "in $zone, IPv$family"; return 1; }
    done
  done
}
# Again and again 1 to 5 launches in a zone beside as many ends of others. Some end as soon as they are launched, so
# that their two updates are on the way together.
churn() {
  local done=0 n node commands
  RANDOM=1
  while [ $done -lt $changes ]; do
    n=$((RANDOM % 5 + 1)) commands=()
    alive | shuf -n $n --random-source=<(yes $RANDOM) >"$work/ends"
    "$azlab" instance churn launch az$((RANDOM % 3 + 1)) $n &
    commands+=($!)
    while read -r node; do
      "$azlab" instance churn terminate "$node" &
      commands+=($!)
    done <"$work/ends"
    for node in "${commands[@]}"; do wait "$node" || return 1; done
    done=$((done + n + $(wc -l <"$work/ends")))
  done
}
# shares of the messages, with some room for chance
muddled_at_least() {
  case $1 in delayed) echo 1.5 ;; duplicated) echo 0.8 ;; reordered) echo 0.1 ;; esac
}
count() { "$azlab" events churn | jq -s "[.[] | select(.event == \"$1\")] | length"; }

check "a lab comes up" lab_up churn "$work/churn.yaml"
check "before it, the routers have a route to each instance and to nothing else" routers_agree
check "route updates are muddled" "$azlab" fault churn on muddled-routes
check "$changes launches and terminations at random" churn
check "as many as that" holds "$(count instance.launched) + $(count instance.terminated) - 6 >= $changes"
# the agents' acknowledgements are as muddled as the updates: there are at least twice as many messages
for what in delayed duplicated reordered; do
  check "messages were $what" holds "$(status churn ".faults[0].$what") | . > $(muddled_at_least $what) * $(count route.sent)"
done
check "in the end the routers have a route to each instance that is there and to nothing else" wait_for 30 routers_agree
check_not "not so if one route is missing" \
  eval "ip -n churn.az2 route del '$(routed az2 4 | head -1)' && routers_agree"
check "the lab goes down" lab_down churn
finish
