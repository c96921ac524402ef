#!/usr/bin/env bash
# The race that empties DynamoDB's name, as a user sees it: resolvers, clients, the operator's way back; and the control,
# a tenth of the plans. Real queries of dig, kdig and curl; the fatal transaction in a capture.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"
. "$(dirname "$0")/dns.sh"
private_host "$@"
for program in dig kdig tshark curl; do command -v "$program" >/dev/null || skip_all "needs $program"; done

resolvers="internet az1 az2 az3"
own_is_empty() { has_event "$1" '.event == "endpoint.empty" and .endpoint == "dynamodb"'; }

# --- the race, by contention alone ------------------------------------------------------------------------------------

check "a lab comes up" lab_up race "$race" "${quiet[@]}"
for zone in $resolvers; do check "$zone: addresses of the name" wait_for 10 has_addresses race "$zone"; done
check "kdig finds the root, an alias to the top of a tree" bash -c \
  "ip netns exec race.region.dns-operator kdig +short @10.0.0.2 $NAME CNAME | grep -qE '^any\.[a-z0-9]{8}\.tree\.us-east-1\.lab\.$'"
check "curl by name from a zone" in_node race az1.client-2 curl -sf --max-time 5 "http://$NAME/"
check "status shows twenty endpoints" bash -c "'$azlab' dns race status --json | jq -e '.endpoints | length == 20'"
check "plans come" wait_for 30 bash -c "'$azlab' dns race plans --json | jq -e 'length > 0 and all(.endpoints == 20)'"
check_figure "the slow lane: no stale write" no_stale_write race

"$azlab" capture race region.route53 -w "$work/zone.pcapng" 'udp port 53 and dst host 10.0.0.2' >"$work/capture.out" 2>&1 &
capture=$!
check "plans ten times as often" "$azlab" set race dns_automation.lanes=one
# Under sanitizers nothing keeps its pace, and the race may fail to come: the name is broken by hand then.
[ -z "${SAN:-}" ] || check "the name is broken by hand" "$azlab" dns race break
check "the name loses its addresses" wait_for 240 own_is_empty race
for zone in $resolvers; do check "$zone: NOERROR, no address" wait_for 20 empty_for race "$zone"; done
check "clients get no address" wait_for 20 bash -c \
  "! ip netns exec race.az1.client-2 curl -s --max-time 5 http://$NAME/"
check "later plans abort by themselves" wait_for 30 bash -c \
  "'$azlab' dns race history --json | jq -e '([.[] | select(.event == \"endpoint.empty\" and .endpoint == \"dynamodb\").t] | first) as \$t
    | [.[] | select(.event == \"plan.aborted\" and .t > \$t and .reason == \"the tree in force is gone\").plan] | unique | length > 3'"
[ -n "${SAN:-}" ] || check "a stale write came before it" bash -c \
  "'$azlab' dns race history --json | jq -e 'any(.[]; .event == \"plan.stale\" and .written and .endpoint == \"dynamodb\")'"
[ -n "${SAN:-}" ] || check "and a clean-up of the plan that was in force" bash -c \
  "'$azlab' dns race history --json | jq -e '([.[] | select(.event == \"plan.stale\" and .written and .endpoint == \"dynamodb\").plan] | unique) as \$old
    | any(.[]; .event == \"plan.cleaned\" and (.plan | IN(\$old[])))'"
# with the others out of its way, it isn't their locks that it fails at
for zone in az1 az3; do check "$zone's enactor pauses" "$azlab" dns race enactor "$zone" pause; done
paused() { "$azlab" dns race status --json | jq -ce "[.enactors[] | select(.paused).zone] == $1" >/dev/null; }
check "they stand still, az2's doesn't" wait_for 20 paused '["az1", "az3"]'
check "an enactor can't repair it" "$azlab" dns race repair enactor az2
check "and says so" wait_for 60 has_event race '.event == "dns.repaired" and .how == "enactor" and .ok == false'
check "it is still empty" endpoint_is race dynamodb '.addresses | length == 0'
kill -INT "$capture" && wait "$capture"
fatal() { # the transaction that turned the name back, with the prerequisites that it stood on
  tshark -r "$work/zone.pcapng" -d udp.port==53,dns -Y "dns.flags.opcode == 5 && dns.resp.name contains \"_rollback.dynamodb.\"" \
    -T fields -e dns.count.prerequisites -e dns.resp.name 2>/dev/null | awk -F'\t' '$1 >= 3 && $2 ~ /_lock\.dynamodb/ { n++ } END { print n + 0; exit n == 0 }'
}
check "tshark shows the transactions of the name with their prerequisites" fatal

# --- frozen, repaired ---------------------------------------------------------------------------------------------------

check "freeze" "$azlab" dns race freeze
check "the enactors are paused" wait_for 20 frozen race
before=$(in_node race region.dns-operator kdig +short @10.0.0.2 us-east-1.lab SOA | awk '{ print $3 }')
sleep 3 # what is to be seen is that nothing comes: ten plans' time
check "its serial is the same" test "$before" = "$(in_node race region.dns-operator kdig +short @10.0.0.2 us-east-1.lab SOA | awk '{ print $3 }')"
asked=$(now_ms)
left=$(empty_for race az3)
check "az3 says NOERROR, no address, right before the repair" test -n "$left"
check "repair, out of band" "$azlab" dns race repair
check "it was" wait_for 20 has_event race '.event == "dns.repaired" and .how == "out-of-band" and .ok'
repaired=$(now_ms)
check "az3 answers again" wait_for 30 has_addresses race az3
tail_is az3 "$asked" "$left" "$repaired" "$(now_ms)"
for zone in $resolvers; do check "$zone: addresses again" wait_for 30 has_addresses race "$zone"; done
check "curl by name again" wait_for 30 in_node race az1.client-2 curl -sf --max-time 5 "http://$NAME/"
check "unfreeze" "$azlab" dns race unfreeze

# --- toggles, live --------------------------------------------------------------------------------------------------------

for set in freshness=per-write freshness=compare-and-set cleanup=never-active alias_check=off alias_check=on refuse_empty=on \
  auto_rollback=on lanes=fast-slow leader=lease keep=4 lock=200ms backoff=200ms poll=200ms plan_interval=1s; do
  check "set dns_automation.$set" "$azlab" set race "dns_automation.$set"
done
check_line "what is built can't be changed" 2 "can't change the endpoints" "$azlab" set race dns_automation.accounts=3
check_line "a wrong value" 2 "expected once, per-write or compare-and-set" "$azlab" set race dns_automation.freshness=never
check_line "an unknown zone" 2 "no zone 'az9'" "$azlab" dns race enactor az9 pause
check_line "a plan that is none" 2 "expected a plan's number" "$azlab" dns race pin x
newest() { "$azlab" dns race status --json | jq .planner.newest; }
applied_again() { has_event race ".event == \"plan.applied\" and .plan > $1"; }
mark=$(newest)
check "with the guards on plans go on being applied" wait_for 60 applied_again "$mark"

# --- planner, pin ---------------------------------------------------------------------------------------------------------

at_plan() { "$azlab" dns race status --json | jq -e ".endpoints | all(.plan == $1)" >/dev/null; }
newer_than() { [ "$(newest)" -gt "$1" ]; }
check "the planner pauses" "$azlab" dns race planner pause
check "and is" wait_for 20 bash -c "'$azlab' dns race status --json | jq -e .planner.paused"
last=$(newest)
check "its last plan gets everywhere" wait_for 60 at_plan "$last"
check "no newer one came" test "$(newest)" = "$last"
old=$("$azlab" dns race plans --json | jq '[.[].plan | numbers] | min')
check "the store has an older one" test "$old" -lt "$last"
check "pin it" "$azlab" dns race pin "$old"
check "every endpoint goes back to it" wait_for 60 at_plan "$old"
check "the planner goes on" "$azlab" dns race planner resume
check "with newer plans" wait_for 60 newer_than $((last + 3))
check "which nobody applies" at_plan "$old"
check "unpin" "$azlab" dns race unpin
check "they are applied again" wait_for 60 applied_again "$last"
check "down" lab_down race
finish
