#!/usr/bin/env bash
# Commands to a running lab: what they change, in truth and in belief, and what they refuse.
. "$(dirname "$0")/lib.sh"
private_host "$@"

small_topology > t.yaml
check "a lab comes up" lab_up live t.yaml

in_dns() { status live '[.services[0].zones[] | select(.in_answer).zone] | join(" ")'; }
in_dns_is() { [ "$(in_dns)" = "$1" ]; }
requests_grow() { local before; before=$(status live .requests); wait_for 30 status live ".requests > $before"; }

# --- status, ls ---------------------------------------------------------------------------------------------------

check_exit "status: zones in DNS, healthy and well targets" 0 "az1 +in DNS +2 of 2 healthy, 2 well +\+az1.shop-1 \+az1.shop-2" "$azlab" status live
check_exit "LAB may be left out" 0 "^live  t " "$azlab" status
check "status --json holds the same" status live '.lab == "live" and (.services[0].zones | length) == 2 and ([.services[0].zones[].targets[] | select(.healthy and .well)] | length) == 4'
check "every node of it runs" status live '[.nodes[].state] | all(. == "running")'
check "requests are made under up" requests_grow
check_exit "ls shows it" 0 "^live +up \(pid $(orchestrator_of live)\)" "$azlab" ls
check_line "an unknown lab is named" 2 "no lab is called 'nosuch'" "$azlab" status nosuch
check_line "so does events" 2 "no lab is called 'nosuch'" "$azlab" events nosuch
check_line "down of an unknown lab takes no other one down" 2 "nosuch" "$azlab" down nosuch

# Whoever reads no further must not take the lab with them.
"$azlab" events live --follow | head -n 1 > /dev/null &
for ((i = 0; i < 3; i++)); do "$azlab" set live clients.0.retries=$i; done
"$azlab" events live | head -n 1 > /dev/null
check "the lab survives readers who leave" status live .lab

# --- faults -------------------------------------------------------------------------------------------------------

"$azlab" events live --follow > followed.jsonl &
follower=$!
fault() { status live ".faults[] | select(.fault == \"$1\").$2"; }
check_exit "fault list" 0 "^no-checks +off  matched" "$azlab" fault live list
check "fault list --json" bash -c "'$azlab' fault live list --json | jq -e 'length == 2'"
check "all checks of az1 are dropped" "$azlab" fault live on no-checks
check "az1 leaves DNS" wait_for 30 in_dns_is "az2"
check "its targets are believed unhealthy" target_is live az1.shop-1 healthy false
check "and are well" target_is live az1.shop-1 well true
check "the event names the fault as what made the check fail" has_event live '.event == "target.unhealthy" and .because == "fault" and .zone == "az1"'
check "its cause is the fault.on" bash -c "'$azlab' events live | jq -es 'INDEX(.id | tostring) as \$all | [.[] | select(.event == \"target.unhealthy\")] | length > 0 and all(\$all[.cause | tostring].event == \"fault.on\")'"
check "its counters tell" test "$(fault no-checks dropped)" -gt 0
check_exit "a fault that is on can be changed" 0 "" "$azlab" fault live set no-checks drop=50% per=packet
check "and is set back" "$azlab" fault live set no-checks drop=0% drop_every=1000000 per=default
check "az1 is back in DNS" wait_for 30 in_dns_is "az1 az2"
check "fault off" "$azlab" fault live off no-checks
check_line "an unknown fault" 2 "no fault 'no-check', did you mean 'no-checks'" "$azlab" fault live on no-check
check_line "a fault without a name" 2 "fault on NAME" "$azlab" fault live on
check_line "a fault's wrong value" 2 "expected a share" "$azlab" fault live set no-checks drop=x
check_line "a fault aimed at a node that isn't there" 2 "no zone or node is called 'az1.shop-77'" "$azlab" fault live set no-checks to=az1.shop-77
check "the lab lives on" status live .lab

# --- instances: truth and belief ----------------------------------------------------------------------------------

check "launch" "$azlab" instance launch shop az2
check "the new one is registered at once" target_is live az2.shop-3 registered true
check "connected and healthy soon" wait_for 30 target_is live az2.shop-3 well true
check "replace of the oldest in az1" "$azlab" instance live replace az1
check "a new one is there" target_is live az1.shop-3 registered true
check_not "the oldest isn't" status live '.services[0].zones[0].targets[] | select(.node == "az1.shop-1")'
check "its namespace goes" wait_for 30 test ! -e /run/netns/live.az1.shop-1
check "terminate" "$azlab" instance live terminate az2.shop-1
check_not "it is no target any more" status live '.services[0].zones[1].targets[] | select(.node == "az2.shop-1")'
check_line "terminated is terminated" 4 "az2.shop-1 is terminated already" "$azlab" instance live terminate az2.shop-1
check "kill" "$azlab" instance live kill az2.shop-2
check "truth: it isn't well" wait_for 30 target_is live az2.shop-2 well false
check "it is registered all the same" target_is live az2.shop-2 registered true
check "belief follows: unhealthy" wait_for 30 target_is live az2.shop-2 healthy false
check "the event blames the target" has_event live '.event == "target.unhealthy" and .target == "az2.shop-2" and .because == "target"'
check_exit "status says that it has ended" 0 "az2.shop-2 is ended" "$azlab" status live
check "pause" "$azlab" instance live pause az1.shop-3
check "truth: it isn't well" wait_for 30 target_is live az1.shop-3 well false
check "belief follows: unhealthy" wait_for 30 target_is live az1.shop-3 healthy false
check "resume" "$azlab" instance live resume az1.shop-3
check "truth: well" wait_for 30 target_is live az1.shop-3 well true
check "belief follows: healthy" wait_for 30 target_is live az1.shop-3 healthy true
check "any node can be paused" "$azlab" instance live pause region.az-failover
check "and is" wait_for 30 status live '.nodes[] | select(.node == "region.az-failover").state == "paused"'
check "and resumed" "$azlab" instance live resume region.az-failover
check_line "an unknown node" 2 "no such node" "$azlab" instance live kill az1.shop-99
check_line "an unknown zone" 2 "no zone 'az9'" "$azlab" instance live launch az9
check_line "too many to replace" 4 "az1 has 2 instances of shop to replace, not 9" "$azlab" instance live replace az1 9
check_line "only instances can be terminated" 2 "expected an instance such as" "$azlab" instance live terminate az1.nlb
check "az2 has healthy targets to fall back on" "$azlab" instance live launch az2

# --- failover -----------------------------------------------------------------------------------------------------

settled() { status live '[.services[0].zones[].targets[] | select(.node != "az2.shop-2") | .healthy and .well] | all' && in_dns_is "az1 az2"; }
check "everything is well again" wait_for 30 settled
check_exit "failover status" 0 "shop: automatic failover on, rate limit off, stages: velocity" "$azlab" failover live status
check "a policy that lets no zone go" "$azlab" failover live policy velocity max_removed=0% per=10s
check "rate limit on" "$azlab" failover live rate-limit on
check_exit "status tells" 0 "rate limit on" "$azlab" failover live status
check "all checks of az1 are dropped again" "$azlab" fault live set no-checks drop=100% drop_every=never
check "fault on" "$azlab" fault live on no-checks
check "the removal is held" wait_for 30 has_event live '.event == "zone.held" and .zone == "az1"'
check "status says held" wait_for 30 status live '.services[0].zones[] | select(.zone == "az1") | .held and .in_answer'
check "metrics.csv says held" wait_for 30 grep -q ',az1,az1,shop,held,1$' "$(status live .run_folder_now)/metrics.csv"
check "rate limit off lets it go" "$azlab" failover live rate-limit off
check "az1 leaves DNS" wait_for 30 in_dns_is az2
check "disable puts all zones in service" "$azlab" failover live disable
check "az1 is in DNS though unhealthy" wait_for 30 in_dns_is "az1 az2"
check "enable acts again" "$azlab" failover live enable
check "az1 leaves DNS again" wait_for 30 in_dns_is az2
check "fault off" "$azlab" fault live off no-checks
check "and returns" wait_for 30 in_dns_is "az1 az2"
check_line "an unknown stage" 2 "unknown stage 'velocty'" "$azlab" failover live policy velocty
check_line "a parameter of none of the stages" 2 "no stage of this policy has a parameter 'half_life'" "$azlab" failover live policy velocity half_life=1s
check_line "rate-limit takes on or off" 2 "rate-limit on\|off" "$azlab" failover live rate-limit maybe

# --- knobs --------------------------------------------------------------------------------------------------------

rate_is() { # within a quarter of this many requests a second, over a second
  local before after
  before=$(status live .requests)
  sleep 1 # the interval of a measurement, not a wait
  after=$(status live .requests)
  [ $((after - before)) -ge $(($1 * 3 / 4)) ] && [ $((after - before)) -le $(($1 * 5 / 4)) ]
}
check "set the clients' rate" "$azlab" set live clients.0.arrivals=constant clients.0.rate=100/s
check "they obey" wait_for 30 rate_is 100
check "set of a check's fall" "$azlab" set live services.shop.health_check.fall=3
for set in zones=[az1] seed=2 services.shop.port=81 services.shop.targets.per_zone=3 services.shop.dns.name=x.lab clients.0.from=az1 clients.0.family=6 region=eu; do
  check_line "can't be set live: $set" 2 "a running lab can't change .*: set it for a new run" "$azlab" set live "$set"
done
check_line "set of nothing known" 2 "unknown key 'rat'" "$azlab" set live clients.0.rat=1/s
check_line "set without a value" 2 "expected: set PATH=VALUE\.\.\." "$azlab" set live clients.0.rate
check "refused commands are no steps" bash -c "! '$azlab' events live | jq -e 'select(.event == \"step\" and (.action | test(\"eu|family=6|nosuch|maybe|9\$\")))'"

# --- two labs of the same addresses ---------------------------------------------------------------------------------

check "a second lab of the same topology" lab_up other t.yaml
check "it has the same addresses" test "$(ip netns exec live.az1.nlb ip -br addr)" = "$(ip netns exec other.az1.nlb ip -br addr)"
check_line "now LAB can't be left out" 2 "several labs are up; say which: (live other|other live)" "$azlab" status
check_exit "ls shows both" 0 "other +up" "$azlab" ls
check_line "a lab's name can't be taken twice" 4 "live.*(is up|runs|already)" bash -c "'$azlab' up t.yaml --name live --out '$work/twice' 2>&1 | grep -v '^ ' ; exit \${PIPESTATUS[0]}"
check "a fault in the one" "$azlab" fault other on no-checks
check "is none in the other" bash -c "'$azlab' status live --json | jq -e '[.faults[].on] | any | not'"
check "az1 leaves the other's DNS" wait_for 30 zone_is other az1 out
check "and not the first one's" in_dns_is "az1 az2"
check "down of one" lab_down other
check "leaves the other up" status live .lab

# --- the end ------------------------------------------------------------------------------------------------------

check "down, LAB left out" timeout 30 "$azlab" down
ended() { ! kill -0 "$follower" 2>/dev/null; }
check "events --follow ends when the lab goes" wait_for 30 ended
wait "$follower"
check "well" test $? = 0
check "with the lab's last event" test "$(tail -n 1 followed.jsonl | jq -r .event)" = lab.down
check "it has followed all of events.jsonl, once each" same live/events.jsonl followed.jsonl
check "nothing is left" test -z "$(shared_places)"
check "nor any process" no_lab_processes

# --- a scenario whose action fails ----------------------------------------------------------------------------------

small_topology 'scenario:' '  - {phase: a, at: 0s}' '  - {phase: b, at: 500ms, do: [instance kill az1.shop-99]}' '  - {phase: c, at: 2s}' > failing.yaml
line=$(grep -n 'shop-99' failing.yaml | cut -d: -f1)
check_exit "a scenario's action that fails ends the run with file and line" 4 "failing.yaml:$line: .*instance kill az1.shop-99.*no such node" "$azlab" run failing.yaml --out failed
check "what was recorded is kept" grep -q '"event":"phase"' failed/events.jsonl
check "the summary says that it can't be trusted" test "$(jq -r .verdict failed/summary.json)" = untrusted
check "nothing is left" test -z "$(shared_places)"
finish
