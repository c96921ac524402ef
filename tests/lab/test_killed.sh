#!/usr/bin/env bash
# The orchestrator is killed at 20 random moments of up, run and down: no process outlives it by a second, and
# clean, or the next up, removes everything else. SEED=N repeats a sequence of moments.
. "$(dirname "$0")/lib.sh"
private_host "$@"

seed=${SEED:-$((16#$(head -c 2 /dev/urandom | od -An -tx1 | tr -d ' ')))}
echo "# SEED=$seed"
RANDOM=$seed
small_topology > t.yaml
small_topology 'scenario: [{phase: a, at: 0s}, {phase: b, at: 60s}]' > long.yaml
host_network > host.before

nothing_in_shared_places() { [ -z "$(shared_places)" ] || { shared_places; return 1; }; }
host_is_as_before() { host_network > host.now && same host.before host.now; }
sleep_ms() { sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"; }
at_most() { echo $((RANDOM % ($1 + 1))); }
# How far the lab has come: only for the line that tells it
stage() {
  if [ -S /run/azlab/killed/control ]; then echo "a lab that is up"
  else echo "$(find /run/netns -name 'killed.*' 2>/dev/null | wc -l) namespaces, $(lab_processes | wc -l) processes"; fi
}
# The orchestrator itself, not the `azlab up` that waits for it
kill_orchestrator_of_up() {
  local child
  child=$(pgrep -P "$1" azlab || orchestrator_of killed)
  kill -KILL ${child:-"$1"} 2>/dev/null
}
start_up() {
  "$azlab" up t.yaml --name killed --out "$work/run-$i" > "up-$i.out" 2>&1 &
  up=$!
}

during_up() {
  start_up
  moment=$(at_most 2500)
  sleep_ms "$moment"
  reached=$(stage)
  kill_orchestrator_of_up "$up"
  wait "$up"
}
during_run() {
  "$azlab" run long.yaml --name killed --out "$work/run-$i" > "run-$i.out" 2>&1 &
  up=$!
  moment=$(at_most 3500)
  sleep_ms "$moment"
  reached=$(stage)
  kill -KILL "$up"
  wait "$up" 2>/dev/null
}
during_down() {
  start_up
  wait "$up" || fail "up before down" "$(cat "up-$i.out")"
  local pid
  pid=$(orchestrator_of killed)
  "$azlab" down killed > /dev/null 2>&1 &
  moment=$(at_most 60)
  sleep_ms "$moment"
  reached=$(stage)
  kill -KILL "$pid" 2>/dev/null
  wait $!
}

for ((i = 1; i <= 20; i++)); do
  kind=$(case $((i % 3)) in 0) echo down ;; 1) echo up ;; 2) echo run ;; esac)
  "during_$kind"
  check "$i: killed $moment ms into $kind ($reached): no process is left within 1 s" wait_for 1 no_lab_processes
  # every other time the next lab has to do the cleaning
  if ((i % 2 == 0 || i == 20)); then
    check "$i: clean" "$azlab" clean
    check "$i: nothing is left" nothing_in_shared_places
  fi
done
check "the host's network is as before" host_is_as_before
check "after all this a lab comes up" lab_up killed t.yaml
check "and goes down" lab_down killed
check "with nothing left" nothing_in_shared_places
finish
