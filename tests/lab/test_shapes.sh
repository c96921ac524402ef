#!/usr/bin/env bash
# Other shapes of the same lab: 2 and 5 zones, one target a zone, IPv6 clients and checks, a client inside a zone.
# Each is calm: no removal, no error, exactly the requests of the schedule, and as many checks as the interval says.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"
private_host

rate=60 seconds=5 interval=0.25
# shape ZONES TARGETS FAMILY FROM
shape() {
  cat <<YAML
zones: [$1]
services:
  shop:
    targets: {per_zone: $2, service_time: 20ms}
    health_check: {interval: ${interval}s, timeout: 200ms, rise: 2, fall: 2, family: $3}
    dns: {ttl: 1s}
clients:
  - {from: $4, rate: $rate/s, timeout: 1s, family: $3}
scenario:
  - {phase: calm, at: 0s}
  - {phase: end, at: ${seconds}s}
YAML
}
shape 'az1, az2' 3 4 internet >"$work/two-zones.yaml"
shape 'az1, az2, az3, az4, az5' 3 4 internet >"$work/five-zones.yaml"
shape 'az1, az2, az3' 1 4 internet >"$work/one-target.yaml"
shape 'az1, az2, az3' 3 6 internet >"$work/family-6.yaml"
shape 'az1, az2, az3' 3 4 az2 >"$work/from-zone.yaml"

# run NAME: an untrusted run (3) is one on a machine that is late: what is asserted here has to hold all the same
run() {
  local status
  timeout 60 "$azlab" run "$work/$1.yaml" --name "$1" --out "$work/$1" >"$work/$1.log" 2>&1 && status=0 || status=$?
  [ $status -eq 0 ] || [ $status -eq 3 ] || cat "$work/$1.log"
}
figure() { jq "$2" "$work/$1/summary.json"; }
# checks NAME: of all checkers: how many were made, and how many there had to be in the seconds that they tell of
checks() {
  awk -F, -v targets="$2" -v interval=$interval '
    $5 == "checks.made" { seconds++; made += $6 }
    END { print made / (seconds * targets / interval) }' "$work/$1/metrics.csv"
}
asked_by() { awk -F, -v node="$2" '$2 == node && $5 == "requests" { n += $6 } END { print n + 0 }' "$work/$1/metrics.csv"; }
# packets NAME: that the client's kernel has sent by now, IPv4 and IPv6
packets() {
  in_node "$1" "$2" env NSTAT_HISTORY="$work/nstat" nstat -asz --json IpOutRequests Ip6OutRequests |
    jq '.kernel | "\(.IpOutRequests) \(.Ip6OutRequests)"' -r
}
# prefers NAME CLIENT 4|6: its packets are of this family, but for questions to its resolver
prefers() {
  local v4 v6
  read -r v4 v6 < <(packets "$1" "$2")
  echo "IPv4: $v4, IPv6: $v6"
  if [ "$3" = 4 ]; then [ "$v4" -gt 300 ] && [ "$v6" -lt 50 ]; else [ "$v6" -gt 300 ] && [ "$v4" -lt 50 ]; fi
}
# calm NAME TARGETS CLIENT
calm() {
  local scheduled
  scheduled=$("$build/tests/scenarios/schedule" 1 "$3" $rate $seconds)
  check_figure "$1: no zone is removed" holds "$(figure "$1" .zone_removals) == 0"
  check_figure "$1: no error, the service's or the lab's" holds "$(figure "$1" '.errors + .lab_errors') == 0"
  check "$1: $scheduled requests, as the seed's schedule has them" holds "$(figure "$1" .requests) == $scheduled"
  check "$1: all of $3" holds "$(asked_by "$1" "$3") == $scheduled"
  check_figure "$1: as many checks as the interval says, to 5 %" holds "$(checks "$1" "$2") | . > 0.95 and . < 1.05"
}

run two-zones &
run one-target &
run family-6 &
check "family-6: its client's packets are IPv6" wait_for 30 prefers family-6 internet.client-1 6
check "one-target: its client's packets are IPv4" wait_for 30 prefers one-target internet.client-1 4
wait
run five-zones &
run from-zone &
wait
calm two-zones 3 internet.client-1
calm five-zones 3 internet.client-1
calm one-target 1 internet.client-1
calm family-6 3 internet.client-1
calm from-zone 3 az2.client-1

# what can't be is said before anything is built
wrong() { # PATTERN ZONES TARGETS FAMILY FROM
  local pattern=$1
  shift
  shape "$@" >"$work/wrong.yaml"
  check_exit "check refuses zones [$1], $2 targets, family $3, clients from $4" 2 "wrong.yaml:[0-9]+:[0-9]+: .*$pattern" \
    "$azlab" check "$work/wrong.yaml"
}
wrong 'zones' '' 3 4 internet
wrong 'az1' 'az1, az1' 3 4 internet
wrong '1000' 'az1, az2' 1001 4 internet
wrong '4' 'az1, az2' 3 5 internet
wrong 'az9' 'az1, az2' 3 4 az9
finish
