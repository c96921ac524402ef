#!/usr/bin/env bash
# What a run leaves and prints: the run folder, its owner, options, a full disk.
. "$(dirname "$0")/lib.sh"
private_host "$@"
command -v xmllint >/dev/null || skip_all "needs xmllint"

small_topology 'scenario:' \
  '  - {phase: calm, at: 0s}' \
  '  - {phase: fault, at: 1s, do: [fault on no-checks, instance launch az2, exec internet.client-1 -- curl -sS http://shop.lab/, exec az1 -- sleep 100]}' \
  '  - {phase: end, at: 3s}' \
  'expect:' \
  '  - {in: calm, zone_removals: {max: 0}}' \
  '  - {zone_removals: 1, zones: 1}' > t.yaml
small_topology 'scenario: [{phase: all, at: 0s}, {phase: end, at: 1s}]' 'expect: [{requests: {min: 1000000}}]' > failing.yaml
small_topology 'scenario: [{phase: all, at: 0s}, {phase: end, at: 1s}]' > short.yaml

# A busy machine makes a run untrusted (3): what is looked at here doesn't depend on it.
ran() { # FILE-FOR-OUTPUT COMMAND...: 0 or 3
  local out=$1 status
  shift
  timeout 100 "$@" > "$out" 2> "$out.err" && status=0 || status=$?
  [ $status -eq 0 ] || [ $status -eq 3 ] || { echo "exit status $status"; cat "$out" "$out.err"; return 1; }
}

# --- one run, as under sudo -------------------------------------------------------------------------------------

check "run" ran printed env SUDO_UID=1234 SUDO_GID=4321 "$azlab" run t.yaml --out deep/er/run
run=deep/er/run
for file in events.jsonl metrics.csv summary.json summary.md junit.xml report.html topology.yaml logs/az1.checker.log; do
  check "the run folder has $file" test -e "$run/$file"
done
check "a log per node" test "$(find "$run/logs" -name '*.log' | wc -l)" -ge 18
check "all of it is the user's, the folders above too" test -z "$(find deep ! \( -uid 1234 -gid 4321 \))"
check "no process is left, a scenario's own neither" bash -c "! pgrep -x sleep"
check "no temporary name is left" test -z "$(find deep -name '*unfinished*' -o -name '.report*')"

check "events.jsonl: JSON on each line, all with t, id, cause, node, zone, event" \
  jq -es 'length > 20 and all((.t | type) == "number" and (.id | type) == "number" and (.cause | type) == "number" and ([.node, .zone, .event] | map(type) | unique) == ["string"])' "$run/events.jsonl"
check "ids are unique" jq -es 'map(.id) | length == (unique | length)' "$run/events.jsonl"
check "every cause is an event of the record" \
  jq -es '(map({(.id | tostring): true}) | add) as $ids | map(select(.cause != 0 and ($ids[.cause | tostring] | not))) | if . == [] then true else error(tojson) end' "$run/events.jsonl"
check "no cause is later than what it led to, but for what messages need to arrive" \
  jq -es '(map({(.id | tostring): .t}) | add) as $t | map(select(.cause != 0 and $t[.cause | tostring] > .t + 0.001)) | if . == [] then true else error(tojson) end' "$run/events.jsonl"
check "it begins with lab.up at or before 0 and ends with lab.down" \
  jq -es '(map(select(.event == "lab.up")) | length) == 1 and last.event == "lab.down"' "$run/events.jsonl"
check "what happened before the scenario has a negative t" jq -es 'map(select(.event == "instance.launched" and .t < 0)) | length == 4' "$run/events.jsonl"
check "phases and steps are in it" \
  jq -es '[.[] | select(.event == "phase" or .event == "step") | .phase // .action] == ["calm", "fault", "fault on no-checks", "instance launch az2", "exec internet.client-1 -- curl -sS http://shop.lab/", "exec az1 -- sleep 100", "end"]' "$run/events.jsonl"
check "a step causes what it does" \
  jq -es '(.[] | select(.event == "step" and (.action | startswith("fault on"))).id) as $id | any(.[]; .event == "fault.on" and .cause == $id)' "$run/events.jsonl"
check "a scenario's exec ran on its node, and told how it ended" \
  jq -es '[.[] | select(.event == "exec.ended")] | length == 1 and first.node == "internet.client-1" and first.status == 0' "$run/events.jsonl"
check "what it printed is in the logs" test -s "$run/logs/exec.log"
check "zone.removed tells belief and truth" \
  jq -es 'any(.[]; .event == "zone.removed" and .zone == "az1" and .healthy == 0 and .well == 2 and .of == 2)' "$run/events.jsonl"

check "metrics.csv: six columns, the first and last of them numbers" bash -c \
  "head -n 1 $run/metrics.csv | grep -qx t,node,zone,service,metric,value && awk -F, 'NR > 1 && (NF != 6 || \$1 !~ /^-?[0-9.]+\$/ || \$6 !~ /^-?[0-9.e+-]+\$/) { print; bad = 1 } END { exit bad || NR < 100 }' $run/metrics.csv"
check "it holds 'in_answer' and 'held' of each zone" bash -c "grep -q ',az1,az1,shop,in_answer,0' $run/metrics.csv && grep -q ',az2,az2,shop,held,' $run/metrics.csv"
check "the requests in it are those of the summary" test \
  "$(awk -F, '$5 == "requests" && $1 >= 0 && $1 < 3 { n += $6 } END { print n }' $run/metrics.csv)" = "$(jq .requests $run/summary.json)"

check "summary.json: the contract's figures" jq -e '
  (["verdict", "seed", "zone_removals", "zone_restores", "zone_holds", "zones", "false_removals", "false_removals_overloaded", "requests",
    "errors", "error_rate", "capacity_seconds_lost", "time_to_stable_s", "metastable", "fidelity", "phases"] - keys) == []' "$run/summary.json"
check "and for each phase" jq -e '.phases | keys == ["calm", "fault"] and all(has("zone_removals") and has("error_rate"))' "$run/summary.json"
check "one false removal, in phase fault" jq -e '.zone_removals == 1 and .false_removals == 1 and .phases.fault.zone_removals == 1 and .phases.calm.zone_removals == 0' "$run/summary.json"
check "summary.md is short" test "$(wc -l < "$run/summary.md")" -le 20
check "junit.xml is well-formed" xmllint --noout "$run/junit.xml"
check "and has a case for each bound" test "$(xmllint --xpath 'count(//testcase)' "$run/junit.xml")" -ge 3
check "topology.yaml is valid, with the defaults filled in" "$azlab" check "$run/topology.yaml"
check "so that it names what t.yaml doesn't" grep -q 'retransmit: 200ms' "$run/topology.yaml"

check "report.html names no other place to load anything from" bash -c \
  "! grep -oE '(src|href|action)=[\"'\''](https?:)?//[^\"'\'' >]*|url\\((https?:)?//[^)]*|@import' $run/report.html"
check "and forbids its browser every request" grep -q "Content-Security-Policy.*default-src 'none'" "$run/report.html"
check "it is a page" bash -c "grep -qi '<!doctype html>' $run/report.html && tail -n 1 $run/report.html | grep -q '</html>'"
cp "$run/report.html" report.before
check_exit "azlab report writes it anew" 0 "^$run/report.html$" "$azlab" report "$run"
check "the same, though made from the files" cmp report.before "$run/report.html"
check "it is the user's still" test "$(stat -c %u:%g "$run/report.html")" = 1234:4321

check "what is printed: a table of the phases, the verdict, the folder" bash -c \
  "grep -qE '^ +fault ' printed && grep -qE '^verdict: (pass|untrusted)' printed && grep -q '^run folder: $run' printed"
check "progress: the steps, the phases, zones that left" bash -c \
  "grep -q 'building the network' printed.err && grep -q 'phase fault' printed.err && grep -q '> fault on no-checks' printed.err && grep -q 'az1 removed (0 of 2 healthy, 2 well)' printed.err"

# --- options ------------------------------------------------------------------------------------------------------

check "run --json --seed --set --name" ran json "$azlab" run short.yaml --json --seed 77 --set clients.0.rate=40/s --name named
check "standard output is the summary" jq -e '.seed == 77 and .lab == "named" and .requests > 0' json
folders=(runs/named-*)
check "the default folder has the lab's name and the time" bash -c "[[ '${folders[*]}' =~ ^runs/named-[0-9]{8}T[0-9]{6}$ ]]"
check "topology.yaml is as run" bash -c "grep -q 'rate: 40/s' '${folders[0]}/topology.yaml' && grep -q 'seed: 77' '${folders[0]}/topology.yaml'"
check "run --repeat 2" ran repeated "$azlab" run short.yaml --repeat 2 --out twice
check "has two folders, and tells the spread" bash -c "test -f twice/1/summary.json -a -f twice/2/summary.json && grep -q 'of 2 runs passed; zone removals from 0 to 0' repeated"
check "one seed, one schedule: the same requests in both" test "$(jq .requests twice/1/summary.json)" = "$(jq .requests twice/2/summary.json)"

# --- runs beside each other ----------------------------------------------------------------------------------------

check "compare" bash -c "'$azlab' compare --phase fault $run ${folders[0]} > compared"
check "marks the figures that differ, of the run and of the phase" test "$(grep -cE '^\* zone_removals +1 +(0|-)$' compared)" = 2
check "tells the knobs that differ" bash -c "grep -qx '  clients.0.rate: .*/s -> 40/s' compared && grep -qx '  seed: 1 -> 77' compared"
check "compare --json has the values" bash -c "'$azlab' compare --json --phases $run ${folders[0]} twice/1 |
  jq -e '(.runs | map(.seed)) == [1, 77, 1] and .figures.zone_removals == {values: [1, 0, 0], differs: true} and (.phases | keys) == [\"all\", \"calm\", \"fault\"]'"
check "one topology, one seed: no knob differs" bash -c "'$azlab' compare twice/1 twice/2 | grep -qx 'topology: the same'"
check_exit "compare --phase of a phase that no run has" 2 "no run has a phase 'nosuch'; there are: calm fault all" \
  "$azlab" compare --phase nosuch "$run" "${folders[0]}"

timeout 60 "$azlab" run failing.yaml --out failed > failed.out 2>&1
status=$?
check "a failed expectation: status 1, or 3 on a busy machine" test $status = 1 -o $status = 3
if [ $status = 1 ]; then
  check "the last line repeats the run" bash -c "tail -n 1 failed.out | grep -qxE 'again: sudo azlab run failing.yaml --seed 1'"
  check "junit.xml has the failure" test "$(xmllint --xpath 'count(//failure)' failed/junit.xml)" = 1
fi

# --- a full disk --------------------------------------------------------------------------------------------------

small_topology 'scenario: [{phase: all, at: 0s}, {phase: end, at: 3s}]' > t3.yaml
mkdir tiny && mount -t tmpfs -o size=40k tmpfs tiny
"$azlab" run t3.yaml --out tiny/run > full.out 2>&1
status=$?
check "a full disk: the run ends, not to be trusted" test $status = 3 -o $status = 4
check "it is told why" grep -q "No space left on device" full.out
check "the figures were printed all the same" grep -q "^verdict: untrusted" full.out
check "what was recorded is kept, whole lines of it" bash -c "ls tiny/run && head -n 20 tiny/run/events.jsonl | jq -e .event >/dev/null"
check "there is no torn result" bash -c "for f in tiny/run/*.json; do [ ! -e \$f ] || jq -e . \$f >/dev/null || exit 1; done; [ ! -e tiny/run/report.html ] || tail -n 1 tiny/run/report.html | grep -q '</html>'"
check "nothing else is left" test -z "$(shared_places)"
check "no process either" no_lab_processes
umount tiny

mkdir -p none && mount -t tmpfs -o size=4k,nr_inodes=2 tmpfs none
check_exit "no room even for the folder: told, and no lab is built" 2 "cannot make the run folder 'none/run': No space left" "$azlab" run t3.yaml --out none/run
umount none
check "nothing is left" test -z "$(shared_places)"
finish
