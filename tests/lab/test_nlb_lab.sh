#!/usr/bin/env bash
# What a client sees through a load balancer: a long transfer that outlives all other targets, a target behind a
# smaller MTU, one without a route and one whose process is gone. The latter three look as they do without it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"
private_host

cat >"$work/nlb.yaml" <<'YAML'
zones: [az1, az2]
services:
  shop:
    targets: {per_zone: 3, service_time: 1ms}
    health_check: {interval: 250ms, timeout: 200ms, rise: 2, fall: 2}
  single:                              # with one target nobody has to ask which one it was
    port: 8080
    targets: {per_zone: 1, service_time: 1ms}
    health_check: {interval: 1s, timeout: 500ms}
clients:
  - {to: shop, rate: 10/s}
YAML

client() { in_node nlb internet.client-1 "$@"; }

# --- a long transfer ------------------------------------------------------------------------------------------

size=64000000 # at 0.5 MB/s two minutes: it lasts until it is told that it is enough, and is through at once then
# download FILE: through az1's load balancer; one that stands still for 10 s has failed
download() {
  set -o pipefail
  rm -f "$work/enough"
  client curl -s --fail --speed-limit 1 --speed-time 10 --max-time 300 "http://$(zonal nlb az1 4)/bytes/$size" | paced "$work/$1"
}
# paced FILE: takes in 0.5 MB/s at most, until it is enough
paced() {
  local had=-1 have=0
  : >"$1"
  while [ ! -e "$work/enough" ] && [ "$have" -gt "$had" ]; do # not at the end
    had=$have
    head -c 25000 >>"$1"
    have=$(stat -c %s "$1")
    sleep 0.05
  done
  cat >>"$1"
}
# moves_on FILE: more of it comes, and more than the client's own buffers may have held
moves_on() {
  local had
  had=$(stat -c %s "$work/$1")
  wait_for 60 eval "[ \$(stat -c %s '$work/$1') -gt $((had + 500000)) ]"
}
targets() { status nlb '.services[] | select(.service == "shop").zones[] | select(.zone == "az1").targets[].node'; }
# serving: the target in az1 that has a connection with more to send than any check or small answer has
serving() {
  local node
  for node in $(targets); do
    in_node nlb "$node" ss -Htn state established "dst $(address nlb az1.nlb 4)" | awk '$2 > 10000 { exit 1 }' || {
      echo "$node"
      return 0
    }
  done
  return 1
}
# replace_others NODE: ends all other targets of the zone and launches as many
replace_others() {
  local node others
  others=$(targets | grep -vx "$1")
  for node in $others; do "$azlab" instance nlb launch shop az1 && "$azlab" instance nlb terminate "$node" || return 1; done
  wait_for 30 all_healthy
}
all_healthy() { [ "$(status nlb '[.services[0].zones[].targets[].healthy] | all')" = true ]; }

# --- a target that is hard to reach ---------------------------------------------------------------------------

# look ADDRESS: how a request of 6 kB ends, without what differs by address and time. A second more is none: an error
# that arrives while connect() still holds the socket is noted only, and taken from the next SYN's answer.
look() {
  client curl -v -sS --globoff --max-time 5 -o /dev/null -w '%{stderr}took too long: %{time_total}\n' \
    -H "X-Long: $(printf '%6000s' '' | tr ' ' x)" "http://$(host "$1"):8080/" 2>&1 |
    sed -En '/ HTTP\/1.1 [0-9]/p; / failed: /s/.*( failed: .*)/\1/p; /^took too long: [2-9]/p; /^curl: \(/s/(curl: \([0-9]+\)).*/\1/p'
}
# alike ZONE PATTERN: directly and through the load balancer, IPv4 and IPv6; and each as the pattern says
alike() {
  local family direct balanced
  for family in 4 6; do
    direct=$(look "$(address nlb "$1.single-1" $family)")
    balanced=$(look "$(zonal nlb "$1" $family single)")
    printf 'IPv%s, directly:\n%s\nthrough the load balancer:\n%s\n' $family "$direct" "$balanced"
    [ -n "$direct" ] && [ "$direct" = "$balanced" ] || return 1
    grep -qE "$2" <<<"$direct" || return 1
  done
}
# learned MTU|none ADDRESS...: what the client has learned about the ways there
learned() {
  local mtu=$1 address said
  shift
  for address in "$@"; do
    said=$(client ip route get "$address")
    echo "$said"
    case $said in
      *" mtu $mtu"*) ;;
      *" mtu "*) return 1 ;;
      *) [ "$mtu" = none ] || return 1 ;;
    esac
  done
}
single_addresses() { echo "$(address nlb az1.single-1 4) $(zonal nlb az1 4 single) $(address nlb az1.single-1 6) $(zonal nlb az1 6 single)"; }

pattern $size >"$work/expected"
check "a lab comes up" lab_up nlb "$work/nlb.yaml"

# or megabytes would lie in the client's buffers, and the transfer go on without the network
client sysctl -qw net.ipv4.tcp_rmem='4096 65536 65536'
download kept & transfer=$!
check "a long transfer begins" wait_for 30 serving
kept=$(serving)

check "a request of 6 kB is answered, with and without the load balancer" alike az1 ' 200 '
# shellcheck disable=SC2046 # four addresses
check "the client knows no smaller MTU" learned none $(single_addresses)
for family in 4 6; do
  check "the way to the target gets an MTU of 1300 (IPv$family)" ip -n nlb.az1 -$family route change \
    "$(address nlb az1.single-1 $family)" dev single-1 proto 97 mtu lock 1300
done
check "behind the smaller MTU it is answered all the same, in both ways" alike az1 ' 200 '
# shellcheck disable=SC2046
check "the client has learned the MTU, of the target and of the load balancer" learned 1300 $(single_addresses)

for family in 4 6; do
  check "the target's route goes (IPv$family)" ip -n nlb.az1 -$family route del "$(address nlb az1.single-1 $family)"
done
check "the target is unreachable, and the client is told so in both ways" alike az1 'failed: (No route to host|Network is unreachable)'
check "another one's process dies" "$azlab" instance nlb kill az2.single-1
check "it is refused in both ways" wait_for 30 alike az2 'failed: Connection refused'

for round in 1 2 3 4; do
  check "replacement $round of the targets that do not serve the transfer" replace_others "$kept"
done
check "it goes on" moves_on kept
check "and has not ended" kill -0 $transfer
touch "$work/enough"
wait $transfer && status=0 || status=$?
check "the transfer ends well" [ $status -eq 0 ]
check "every byte arrived as it was" cmp "$work/kept" "$work/expected"

download broken & transfer=$!
check "another transfer begins" wait_for 30 serving
check "its own target ends" "$azlab" instance nlb terminate "$(serving)"
wait $transfer && status=0 || status=$?
check "it breaks off" [ $status -ne 0 ]
check "the lab goes down" lab_down nlb
finish
