#!/usr/bin/env bash
# Who can be reached from where, while route updates to az1 are late: an instance is there zone by zone, as each
# router gets its host route, and for nobody while its own zone's router lacks it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"
private_host

cat >"$work/reach.yaml" <<'YAML'
zones: [az1, az2, az3]
services:
  shop:
    targets: {per_zone: 1, service_time: 1ms}
    health_check: {interval: 500ms, timeout: 250ms, rise: 2, fall: 2}
    dns: {ttl: 1s}
clients:
  - {rate: 10/s, timeout: 500ms}
faults:
  slow-routes: {delay: 4s, class: route-update, to: az1}
YAML

# what az2's and az3's routes may take longer beside a delay of 4 s
slack=0.1

# lag NODE ZONE: from the launch to the route in the zone's router
lag() { jq -n "$(installed reach "$1" "$2") - $(launched reach "$1")"; }
# connected NODE: every router has its routes
connected() { has_event reach ".event == \"instance.connected\" and .instance == \"$1\""; }
# opens_with FROM.FAMILY NODE ZONE...: NODE can be reached from there when the last of these routers has its route,
# not sooner and not later
opens_with() {
  local file=$work/$2.$1 node=$2 zone at=-1
  shift 2
  for zone in "$@"; do at=$(jq -n "[$at, $(installed reach "$node" "$zone")] | max"); done
  opens "$file" "$(jq -n "$at + $epoch")"
}
# refused_until_then FILE: many attempts failed before
refused_until_then() {
  local failed
  failed=$(awk '$3 != 0' "$1" | wc -l)
  [ "$failed" -ge 20 ] || { echo "only $failed attempts failed"; return 1; }
}
# knock_all NODE FROM...: from all of them at once, IPv4 and IPv6; files FROM.4 and FROM.6
knock_all() {
  local node=$1 from family
  shift
  for from in "$@"; do
    for family in 4 6; do
      knock reach "$from" "$node" $family "$work/$node.$from.$family" &
      knocking+=($!)
    done
  done
}

check "a lab with 10 requests a second comes up" lab_up reach "$work/reach.yaml"
epoch=$(clock reach)

# --- control: nothing is delayed ------------------------------------------------------------------------------

plain=$(launch reach az2)
knocking=()
knock_all "$plain" az1.checker az3.checker
wait "${knocking[@]}"
check "without the fault a new instance gets its routes" wait_for 30 connected "$plain"
for from in az1.checker az3.checker; do
  for family in 4 6; do
    check_figure "without the fault it answers $from at once (IPv$family)" \
      opens_with "$from.$family" "$plain" az1 az2 az3
  done
done
for zone in az1 az2 az3; do
  check_figure "without the fault $zone's router has its routes within $slack s" holds "$(lag "$plain" $zone) < $slack"
done

# --- updates to az1 are late by 4 s ---------------------------------------------------------------------------

check "the fault goes on" "$azlab" fault reach on slow-routes
there=$(launch reach az2)
here=$(launch reach az1)
knocking=()
knock_all "$there" az1.checker az3.checker
knock_all "$here" az1.checker az2.checker az3.checker internet.client-1
wait "${knocking[@]}"
check "late updates arrive too" wait_for 30 connected "$here"

for family in 4 6; do
  check_figure "launched in az2, it answers az3 at once (IPv$family)" \
    opens_with az3.checker.$family "$there" az2 az3
  check_figure "it does not answer az1 before az1's router has its route, and then within 100 ms (IPv$family)" \
    opens_with "az1.checker.$family" "$there" az1
  check_figure "until then az1 had tried again and again (IPv$family)" \
    refused_until_then "$work/$there.az1.checker.$family"
  for from in az1.checker az2.checker az3.checker internet.client-1; do
    check_figure "launched in az1, it answers $from only when az1's router has its route (IPv$family)" \
      opens_with "$from.$family" "$here" az1
    check_figure "until then $from had tried again and again (IPv$family)" \
      refused_until_then "$work/$here.$from.$family"
  done
done
for node in "$there" "$here"; do
  check_figure "az1's route to $node took 4 s and what it takes anyway" \
    holds "$(lag "$node" az1) | . >= 4 and . < 4.2"
  for zone in az2 az3; do
    check_figure "the delay adds nothing to $zone's route to $node" \
      holds "$(lag "$node" $zone) < $slack"
  done
done

# --- and off again --------------------------------------------------------------------------------------------

check "the fault goes off" "$azlab" fault reach off slow-routes
after=$(launch reach az1)
knocking=()
knock_all "$after" az1.checker az2.checker
wait "${knocking[@]}"
for from in az1.checker az2.checker; do
  check_figure "after the fault a new instance in az1 answers $from at once" \
    opens_with "$from.4" "$after" az1 az2 az3
done
check_figure "after the fault az1's router has its routes within $slack s" holds "$(lag "$after" az1) < $slack"
check "the client asked all the time" holds "$(status reach .requests) >= 40"
check "the lab goes down" lab_down reach
finish
