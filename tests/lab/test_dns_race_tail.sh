#!/usr/bin/env bash
# After an empty name is repaired, resolvers answer again when their negative entries run out: three negative TTLs, and 0.
# And the control of the race: a tenth of the plans.
. "$(dirname "$0")/lib.sh"
private_host "$@"
for program in dig kdig knsupdate; do command -v "$program" >/dev/null || skip_all "needs $program"; done

NAME=dynamodb.us-east-1.lab
race=$top/topologies/dns-race.yaml
quiet=(--set clients.0.rate=5/s --set clients.1.rate=1/s --set clients.2.rate=1/s --set clients.3.rate=1/s)

on() { ip netns exec "$1.$2" "${@:3}"; } # LAB NODE COMMAND...
ask() { on "$1" az1.resolver dig +time=2 +tries=2 "@$resolver" "${@:2}"; }
has_addresses() { ask "$1" +short "$NAME" A | grep -qE '^[0-9.]+$'; }
is_empty() {
  local said
  said=$(ask "$1" "$NAME" A) && grep -q 'status: NOERROR' <<<"$said" && ! grep -qE '[[:space:]]A[[:space:]]+[0-9.]+$' <<<"$said"
}
negative_ttl_of() { ask "$1" +noall +authority "$NAME" A | awk '$4 == "SOA" { print $2; exit }'; }
# Someone deletes the tree in force, by hand: no race has to be waited for.
delete_tree() {
  local key tree names
  key=$(awk -F'"' '/secret:/ { print $2; exit }' "/run/azlab/$1/region.route53/knot.conf")
  tree=$(on "$1" region.dns-operator kdig +short @10.0.0.2 "$NAME" CNAME | cut -d. -f2-)
  for names in lb-1 lb-2 lb-3 _weights-1 any ipv4 fips account; do echo "update delete $names.$tree"; done > names
  { echo "server 10.0.0.2"; echo "zone us-east-1.lab"; cat names; echo "update delete $tree"; echo send; } |
    on "$1" region.dns-operator knsupdate -y "hmac-sha256:azlab:$key"
}
own_is() { "$azlab" dns "$1" status --json | jq -e ".endpoints[] | select(.name == \"dynamodb\").addresses | length $2" >/dev/null; }

applied() { has_event "$1" '.event == "plan.applied"'; }
frozen() { "$azlab" dns "$1" status --json | jq -e '(.enactors | all(.paused)) and .planner.paused' >/dev/null; }

# tail_of LAB NEGATIVE_TTL: empties the name, lets the resolver hear of it right before the repair, times it
tail_of() {
  local lab=$1 ttl=$2 left asked repaired
  check "negative TTL $ttl s: a lab comes up" lab_up "$lab" "$race" "${quiet[@]}" --set services.dynamodb.dns.negative_ttl="${ttl}s"
  resolver=$(on "$lab" az1.resolver ip -j -4 address show dev eth0 | jq -r '.[0].addr_info[0].local')
  check "$ttl s: the name has addresses" wait_for 20 has_addresses "$lab"
  check "$ttl s: a plan comes" wait_for 60 applied "$lab"
  check "$ttl s: nobody brings another" "$azlab" dns "$lab" freeze
  check "$ttl s: all stand still" wait_for 20 frozen "$lab"
  check "$ttl s: its tree is deleted" delete_tree "$lab"
  check "$ttl s: the console sees it" wait_for 20 own_is "$lab" "== 0"
  # what the resolver still holds has to run out: its next question is the one right before the repair
  check "$ttl s: the resolver says NOERROR, no address" wait_for 40 is_empty "$lab"
  until asked=$(date +%s%N) && left=$(negative_ttl_of "$lab") && [ "${left:-0}" -ge "$ttl" ]; do sleep 0.1; done
  check "$ttl s: repair" "$azlab" dns "$lab" repair
  repaired=$(date +%s%N)
  check "$ttl s: it answers again" wait_for 60 has_addresses "$lab"
  echo "# negative TTL $ttl s: dig showed $left s, tail $((($(date +%s%N) - asked) / 1000000)) ms since it was asked, $((($(date +%s%N) - repaired) / 1000000)) ms since the repair"
  check "$ttl s: not before its entry has run out" test "$((($(date +%s%N) - asked) / 1000000))" -ge "$(((ttl - 1) * 1000))"
  check "$ttl s: the console sees addresses" wait_for 20 own_is "$lab" "> 0"
  check "$ttl s: down" lab_down "$lab"
}
# under sanitizers two are enough: what they look for is the same in all of them
for ttl in 0 3 $([ -n "${SAN:-}" ] || echo 6 9); do tail_of "tail$ttl" "$ttl"; done

check "control: a tenth of the plans" lab_up slow "$race" "${quiet[@]}"
plans() { [ "$("$azlab" dns slow status --json | jq .planner.made)" -ge "$1" ]; }
check "control: ten plans come" wait_for 120 plans 10
check "control: no write is stale" bash -c "'$azlab' dns slow history --json | jq -e 'all(.[]; .event != \"plan.stale\" or .written == false)'"
check_not "control: no endpoint is empty" has_event slow '.event == "endpoint.empty"'
check "control: down" lab_down slow
finish
