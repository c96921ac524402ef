# lib.sh - whole runs as tests: runs a topology, believes it only if the machine let it, asks its summary.
# Sourced by the programs beside it, which print TAP.
O=${O:-build}
azlab=$O/azlab
work=$(mktemp -d "${TMPDIR:-/tmp}/azlab-scenarios.XXXXXX")
trap 'rm -rf "$work"' EXIT
tests=0 failed=0

# ok TEXT COMMAND...: one TAP line, from the command's status.
ok() {
  local text=$1
  shift
  tests=$((tests + 1))
  if "$@"; then echo "ok $tests - $text"; else
    echo "not ok $tests - $text"
    failed=$((failed + 1))
  fi
}
finish() {
  echo "1..$tests"
  ((failed == 0))
}

# run NAME [azlab run's arguments]: the run's folder is $work/NAME. A run that the machine spoilt is repeated
# once; if that one is spoilt too, its reasons are told. What was expected and failed is asked by the tests.
run() {
  local name=$1 status=0 try
  shift
  for try in 1 2; do
    rm -rf "${work:?}/$name"
    status=0
    "$azlab" run "$@" --name "scenario-$name" --out "$work/$name" >"$work/$name.out" 2>&1 </dev/null || status=$?
    ((status == 3)) || break
    echo "# $name, try $try: not to be trusted: $(figure "$name" '.fidelity.reasons | join("; ")')"
  done
  ((status <= 1)) && return 0
  echo "# $name ended with status $status:"
  tail -n 15 "$work/$name.out" | sed 's/^/#   /'
  return 1
}

# Under sanitizers (SAN=1) a lab is too slow for its figures to mean anything: what counts is that it holds together.
# sound NAME [azlab run's arguments]: it plays to its end.
sound() {
  local name=$1 status=0
  shift
  "$azlab" run "$@" --name "scenario-$name" --out "$work/$name" >"$work/$name.out" 2>&1 </dev/null || status=$?
  ((status == 0 || status == 1 || status == 3)) && return 0
  tail -n 20 "$work/$name.out" | sed 's/^/#   /'
  return 1
}
silent() { # no sanitizer has said anything
  ! grep -rlE 'AddressSanitizer|LeakSanitizer|runtime error:' "$work" | sed 's/^/# a report in /' | grep .
}
nothing_left() { ! "$azlab" ls | grep "scenario-$1" && ! ip netns list | grep "^scenario-$1\."; } # NAME

# figure NAME JQ: of the run's summary.
figure() {
  jq -r "$2" "$work/$1/summary.json"
}
# holds NAME JQ: is it true of the summary? Tells the figures of the run if not.
holds() {
  [[ $(figure "$1" "$2") == true ]] && return 0
  echo "# $1: not true: $2"
  figure "$1" '.phases | to_entries[] | "#   \(.key): removals \(.value.zone_removals), zones \(.value.zones), false \(.value.false_removals), error rate \(.value.error_rate)"'
  return 1
}
# events NAME JQ: number of events for which it holds.
events() {
  jq -c "select($2)" "$work/$1/events.jsonl" | wc -l
}
# last NAME METRIC: the last value of a metric, summed over its series.
last() {
  awk -F, -v m="$2" '$5 == m { v[$2 "," $4] = $6 } END { for (k in v) s += v[k]; printf "%.0f\n", s }' "$work/$1/metrics.csv"
}
# total NAME METRIC FROM TO: sum of a metric's values with FROM <= t < TO.
total() {
  awk -F, -v m="$2" -v from="$3" -v to="$4" '$5 == m && $1 >= from && $1 < to { s += $6 } END { printf "%.0f\n", s }' "$work/$1/metrics.csv"
}

# The load was what the seed's schedule holds, to the last request. asked NAME SEED RATE SECONDS
asked() {
  local want have
  want=$("$O/tests/scenarios/schedule" "$2" internet.client-1 "$3" "$4") have=$(figure "$1" .requests)
  [[ $want == "$have" ]] || echo "# $1: $have requests, the schedule holds $want"
  [[ $want == "$have" ]]
}
# The checkers made as many checks as interval and targets ask for, within 5 %. checked NAME PER_SECOND FROM TO
checked() {
  local have
  have=$(total "$1" checks.made "$3" "$4")
  awk -v have="$have" -v want="$(($2 * ($4 - $3)))" -v n="$1" 'BEGIN {
    near = have >= 0.95 * want && have <= 1.05 * want
    if (!near) printf "# %s: %d checks, %d asked for\n", n, have, want
    exit !near }'
}
