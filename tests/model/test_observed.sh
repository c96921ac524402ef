#!/usr/bin/env bash
# Runs of three real enactors and a real Knot, left alone, judged by the model: it accepts them under the settings that they
# had, and refuses them when a single thing in them is changed, or under guards that would have prevented what happened.
# SECONDS_EACH changes how long they run (0.8); EVENTS how much of it is judged, from its beginning (90): a search to refuse
# a run grows with it.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 4
: "${O:=build}" "${SECONDS_EACH:=0.8}" "${EVENTS:=90}"
export MODEL_DIR=$PWD/$O/model/observed
command -v spin >/dev/null || { echo "1..0 # SKIP spin is not installed"; exit 77; }
((EUID == 0)) || { echo "1..0 # SKIP needs root"; exit 77; }
mkdir -p "$MODEL_DIR"
ms=$(printf '%.0f' "${SECONDS_EACH}e3")
number=0 failed=0

expect() { # STATUS WHAT FILE OPTION...
  local wanted=$1 what=$2 file=$3 said status
  shift 3
  number=$((number + 1))
  said=$(scripts/check-dns-run "$@" "$file" 2>&1)
  status=$?
  if ((status == wanted)); then
    echo "ok $number - $what: $said"
  else
    failed=1
    echo "not ok $number - $what (status $status, expected $wanted): $said"
  fi
}
# A filter of jq over all events, as an array.
changed() { # FILE FILTER
  jq -cs "$2 | .[]" "$1" >"${1%.jsonl}-changed.jsonl"
  if cmp -s <(jq -c . "$1") "${1%.jsonl}-changed.jsonl"; then
    echo "Bail out! nothing to change by: $2" && exit 1
  fi
  echo "${1%.jsonl}-changed.jsonl"
}

observe() { # FRESHNESS CLEANUP
  "$O/tests/model/observe" "$1" "$2" 1 "$ms" | jq -cs "sort_by(.t)[:$EVENTS][]"
}

run=$MODEL_DIR/historical.jsonl
observe once by-age >"$run" || exit
expect 0 "a historical run" "$run"
# the middle one of its kind
middle='([to_entries[] | select(.value.event == $event) | .key] | .[length / 2 | floor]) as $i'
expect 1 "... with another generation replaced" \
  "$(changed "$run" "\"lock.taken\" as \$event | $middle | .[\$i].over += 1")"
expect 1 "... with a flip left out" "$(changed "$run" "\"lock.taken\" as \$event | $middle | del(.[\$i])")"
expect 1 "... with a flip told twice" "$(changed "$run" "\"lock.taken\" as \$event | $middle | .[:\$i] + .[\$i:\$i+1] + .[\$i:]")"
expect 1 "... with a tree cleaned up that is too young" \
  "$(changed "$run" '([to_entries[] | select(.value.event == "plan.cleaned") | .key] | .[0]) as $i | .[$i].plan = .[$i].by_plan - 1')"

run=$MODEL_DIR/fenced.jsonl
observe compare-and-set never-active >"$run" || exit
expect 0 "a run with compare-and-set and never-active" "$run" -D FRESHNESS=2 -D CLEANUP=1
expect 1 "... with a plan that went back" \
  "$(changed "$run" "\"lock.taken\" as \$event | $middle | .[\$i].over = .[\$i].plan + 1")" -D FRESHNESS=2 -D CLEANUP=1
echo "1..$number"
exit $failed
