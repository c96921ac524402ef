#!/usr/bin/env bash
# After an empty name is repaired, resolvers answer again when their negative entries run out: three negative TTLs, and 0.
# And the control of the race: a tenth of the plans.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"
. "$(dirname "$0")/dns.sh"
private_host "$@"
for program in dig kdig knsupdate; do command -v "$program" >/dev/null || skip_all "needs $program"; done

# Someone deletes the tree in force, by hand: no race has to be waited for.
delete_tree() {
  local key tree names
  key=$(awk -F'"' '/secret:/ { print $2; exit }' "/run/azlab/$1/region.route53/knot.conf")
  tree=$(in_node "$1" region.dns-operator kdig +short @10.0.0.2 "$NAME" CNAME | cut -d. -f2-)
  for names in lb-1 lb-2 lb-3 _weights-1 any ipv4 fips account; do echo "update delete $names.$tree"; done > names
  { echo "server 10.0.0.2"; echo "zone us-east-1.lab"; cat names; echo "update delete $tree"; echo send; } |
    in_node "$1" region.dns-operator knsupdate -y "hmac-sha256:azlab:$key"
}
own_has() { endpoint_is "$1" dynamodb ".addresses | length $2"; }

applied() { has_event "$1" '.event == "plan.applied"'; }

# tail_of LAB NEGATIVE_TTL: empties the name, lets the resolver hear of it right before the repair, times it
tail_of() {
  local lab=$1 ttl=$2 left asked repaired
  check "negative TTL $ttl s: a lab comes up" lab_up "$lab" "$race" "${quiet[@]}" --set services.dynamodb.dns.negative_ttl="${ttl}s"
  check "$ttl s: the name has addresses" wait_for 20 has_addresses "$lab" az1
  check "$ttl s: a plan comes" wait_for 60 applied "$lab"
  check "$ttl s: nobody brings another" "$azlab" dns "$lab" freeze
  check "$ttl s: all stand still" wait_for 20 frozen "$lab"
  check "$ttl s: its tree is deleted" delete_tree "$lab"
  check "$ttl s: the console sees it" wait_for 20 own_has "$lab" "== 0"
  # what the resolver still holds has to run out: its next question is the one right before the repair
  check "$ttl s: the resolver says NOERROR, no address" wait_for 40 empty_for "$lab" az1
  until asked=$(now_ms) && left=$(empty_for "$lab" az1 2>/dev/null) && [ "$left" -ge "$ttl" ]; do sleep 0.1; done
  check "$ttl s: repair" "$azlab" dns "$lab" repair
  check "$ttl s: it was" wait_for 20 has_event "$lab" '.event == "dns.repaired" and .ok'
  repaired=$(now_ms)
  check "$ttl s: it answers again" wait_for 60 has_addresses "$lab" az1
  tail_is "negative TTL $ttl s" "$asked" "$left" "$repaired" "$(now_ms)"
  check "$ttl s: the console sees addresses" wait_for 20 own_has "$lab" "> 0"
  check "$ttl s: down" lab_down "$lab"
}
# under sanitizers two are enough: what they look for is the same in all of them
for ttl in 0 3 $([ -n "${SAN:-}" ] || echo 6 9); do tail_of "tail$ttl" "$ttl"; done

check "control: a tenth of the plans" lab_up slow "$race" "${quiet[@]}"
plans() { [ "$("$azlab" dns slow status --json | jq .planner.made)" -ge "$1" ]; }
check "control: ten plans come" wait_for 120 plans 10
check_figure "control: no write is stale" no_stale_write slow
check_not "control: no endpoint is empty" has_event slow '.event == "endpoint.empty"'
check "control: down" lab_down slow
finish
