# shellcheck shell=bash
# dns.sh - for lab tests of DynamoDB's name: what resolvers say of it, and for how long; what the console knows.
# Comes after wire.sh.

NAME=dynamodb.us-east-1.lab
race=$top/topologies/dns-race.yaml
# What a run comes to is asked elsewhere: little load here.
quiet=(--set clients.0.rate=5/s --set clients.1.rate=1/s --set clients.2.rate=1/s --set clients.3.rate=1/s)

# ask LAB ZONE DIG-WORD...: what the zone's resolver answers
ask() { in_node "$1" "$2.resolver" dig +time=2 +tries=2 "@$(address "$1" "$2.resolver" 4)" "${@:3}"; }
has_addresses() { ask "$1" "$2" +short "$NAME" A | grep -qE '^[0-9.]+$'; }
# empty_for LAB ZONE: how many seconds more the resolver is going to say that the name has no address; fails if it has
# one. An empty answer ends with the first of its records, aliases included: the name is asked for anew then.
empty_for() {
  local said
  said=$(ask "$1" "$2" +noall +comments +answer +authority "$NAME" A)
  awk '/status: NOERROR/ { ok = 1 }  $4 == "A" { has_one = 1 }
    $4 == "CNAME" || $4 == "SOA" { if (min == "" || $2 < min) min = $2 }
    END { if (!ok || has_one || min == "") exit 1; print min }' <<<"$said" || { echo "$said" >&2; return 1; }
}
# tail_is TEXT ASKED LEFT REPAIRED ANSWERED: a resolver that said at ASKED that it would go on saying "no address" for LEFT
# seconds answered with one when that had run out, and the name was repaired: not before, and within 2 s.
tail_is() {
  local text=$1 ends=$(($2 + $3 * 1000)) repaired=$4 answered=$5
  echo "# $text: dig showed $3 s; answered $((answered - $2)) ms after that, $((answered - repaired)) ms after the repair"
  check "$text: not before its empty answer has run out" test "$answered" -ge "$((ends - 1000))" # dig shows whole seconds
  check_figure "$text: within 2 s of it" test "$answered" -le "$(((ends > repaired ? ends : repaired) + 2000))"
}
now_ms() { echo $(($(date +%s%N) / 1000000)); }

endpoint_is() { "$azlab" dns "$1" status --json | jq -e --arg n "$2" ".endpoints[] | select(.name == \$n) | $3" >/dev/null; } # LAB NAME JQ
frozen() { "$azlab" dns "$1" status --json | jq -e '(.enactors | all(.paused)) and .planner.paused' >/dev/null; }
history_has() { "$azlab" dns "$1" history --json | jq -e "$2" >/dev/null; } # LAB JQ
# a write counts as stale only if it went through; a figure: under sanitizers a walk may outlast even three seconds
no_stale_write() { history_has "$1" 'all(.[]; .event != "plan.stale" or .written == false)'; }
