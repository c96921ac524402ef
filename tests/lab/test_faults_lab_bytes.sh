#!/usr/bin/env bash
# 10 MB through a delayed link arrive bit for bit: IPv4 and IPv6, from a target and through its load balancer.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"
private_host

cat >"$work/bytes.yaml" <<'YAML'
zones: [az1]
services:
  shop:
    targets: {per_zone: 1, service_time: 1ms}
    health_check: {interval: 1s, timeout: 500ms, rise: 1}
clients:
  - {rate: 0/s}
faults:
  slow5: {delay: 5ms, class: user}
  slow50: {delay: 50ms, class: user}
YAML

size=10000000
# transfer NAME ADDRESS: prints how long it took to connect
transfer() {
  in_node bytes internet.client-1 curl -s --globoff --fail --max-time 60 -o "$work/$1" -w '%{time_connect}\n' \
    "http://$(host "$2")/bytes/$size" >"$work/$1.connect"
}
# One after another: four at full speed at once would ask whether the machine keeps up, not whether bytes arrive.
transfers() {
  local family result=0
  for family in 4 6; do
    transfer direct.$family "$(address bytes az1.shop-1 $family)" || result=1
    transfer nlb.$family "$(zonal bytes az1 $family)" || result=1
  done
  return $result
}
arrived() { cmp "$work/$1" "$work/expected"; }
connected_in() { cat "$work/$1.connect"; }
# Asked of all events at once, and of a lab that answers: without one there would be no lab.up.
has_no_event() { "$azlab" events bytes | jq -s -e "any(.[]; .event == \"lab.up\") and all(.[]; .event != \"$1\")"; }
delayed() { status bytes ".faults[] | select(.fault == \"$1\").delayed"; }

pattern $size >"$work/expected"
check "a lab comes up" lab_up bytes "$work/bytes.yaml"

check "without a delay the transfers end" transfers
for name in direct.4 direct.6 nlb.4 nlb.6; do
  check "without a delay all bytes arrive ($name)" arrived $name
  check_figure "without a delay the connection is there in less than 2 x 50 ms ($name)" holds "$(connected_in $name) < 0.1"
done
check "without a delay nothing was delayed" holds "$(delayed slow5) == 0 and $(delayed slow50) == 0"

for ms in 5 50; do
  check "delay of $ms ms on" "$azlab" fault bytes on slow$ms
  check "the transfers end" transfers
  check "the delay off" "$azlab" fault bytes off slow$ms
  for name in direct.4 direct.6 nlb.4 nlb.6; do
    check "delayed by $ms ms, every byte arrives as it was ($name)" arrived $name
    # to the target and back two last links are on the way; through the load balancer four
    ways=2
    [[ $name = direct* ]] || ways=4
    check "a connection took $ways times $ms ms ($name)" holds "$(connected_in $name) >= $ways * $ms / 1000"
  done
  # at most 64 KB a packet
  check "the packets were delayed" holds "$(delayed slow$ms) > 6 * $size / 65536"
done
check "nothing got lost in the delay line" has_no_event fault.lost
check "the lab goes down" lab_down bytes
finish
