#!/usr/bin/env bash
# 1,080 new connections a second to one zonal address for 90 s: neither the service nor the lab itself fails one, and
# next to no SYN has to be sent again.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"
private_host

rate=1080 seconds=${SECONDS_OF_LOAD:-90}
[ -z "${SAN:-}" ] || rate=100 seconds=10 # a tenth, of a lab that is slow
# 6 targets of 64 slots of 100 ms: 3,840/s, so what is slow here is not the service
cat >"$work/rate.yaml" <<YAML
zones: [az1]
services:
  shop:
    targets: {per_zone: 6, concurrency: 64, service_time: 100ms, distribution: fixed}
    health_check: {interval: 2s, timeout: 1s}
    dns: {ttl: 60s}
clients:
  - {rate: $rate/s, timeout: 5s, family: 4, arrivals: constant}
scenario:
  - {phase: load, at: 0s}
  - {phase: end, at: ${seconds}s}
YAML

# The client's own kernel counts; it has no other traffic. nstat's memory of earlier uses is the host's business.
counters() { in_node rate internet.client-1 env NSTAT_HISTORY="$work/nstat" nstat -asz TcpActiveOpens TcpAttemptFails TcpRetransSegs TcpExtTCPSynRetrans --json; }
in_time() { status rate ".t >= $seconds - 1 or error"; }
counted() { jq ".kernel.$1" "$work/counters"; }
figure() { jq "$1" "$work/rate/summary.json"; }

timeout 200 "$azlab" run "$work/rate.yaml" --name rate --out "$work/rate" >"$work/rate.log" 2>&1 & run=$!
check "the load is under way" wait_for 60 status rate '.t > 1 or error'
check "it goes on for $seconds s" wait_for $((seconds + 20)) in_time
check "the client's kernel is asked" eval 'counters >"$work/counters"'
wait $run && status=0 || status=$?
# an untrusted run (3) is one on a machine that is late: all that is asserted here has to hold all the same
check "the run ends" [ $status -eq 0 -o $status -eq 3 ]

check "exactly as many requests as the schedule has" holds "$(figure .requests) == $rate * $seconds"
check_figure "none failed" holds "$(figure .errors) == 0"
check "none for want of something in the lab" holds "$(figure .lab_errors) == 0"
check "each was one connection" holds "$(counted TcpActiveOpens) | . >= $rate * ($seconds - 2) and . <= $rate * $seconds"
check "none could not be opened" holds "$(counted TcpAttemptFails) == 0"
check_figure "SYNs sent again: $(counted TcpExtTCPSynRetrans), at most 0.05 %" \
  holds "$(counted TcpExtTCPSynRetrans) <= 0.0005 * $(counted TcpActiveOpens)"
finish
