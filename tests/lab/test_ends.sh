#!/usr/bin/env bash
# Every way in which a lab can end leaves nothing behind, and the host's own network never changes.
. "$(dirname "$0")/lib.sh"
private_host "$@"

small_topology > t.yaml
small_topology 'scenario: [{phase: a, at: 0s}, {phase: b, at: 60s}]' > long.yaml
host_network > host.before

# ended PID: the process is gone (a zombie of ours counts as gone)
ended() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"; }
nothing_in_shared_places() { [ -z "$(shared_places)" ] || { shared_places; return 1; }; }
host_is_as_before() { host_network > host.now && same host.before host.now; }
leaves_nothing() { # TEXT PROGRAM-ID...
  check "$1: nothing in /run/azlab, /run/netns, /etc/netns" nothing_in_shared_places
  check "$1: no process" no_lab_processes
  check "$1: no BPF program" wait_for 30 gone prog ${programs:-}
  check "$1: no BPF map" wait_for 30 gone map ${maps:-}
  check "$1: the host's network is as before" host_is_as_before
}
note_programs() { programs=$(bpf_programs_of "$1"); maps=$(bpf_maps_of $programs); }
running() { [ -S "/run/azlab/$1/control" ] && "$azlab" status "$1" >/dev/null 2>&1; }

# --- down -----------------------------------------------------------------------------------------------------------

ip monitor link > monitor.txt &
monitor=$!
check "up" lab_up end t.yaml
note_programs end
check "BPF programs and maps are there to be looked for" test "$(wc -w <<<"$programs")" -ge 2 -a "$(wc -w <<<"$maps")" -ge 2
check "up: the host's network is as before" host_is_as_before
check "down" lab_down end
leaves_nothing down
kill "$monitor"
check "ip monitor link has printed nothing during up and down" test ! -s monitor.txt
check "the run folder has its name" test -f end/events.jsonl
check "and the last event is lab.down" test "$(tail -n 1 end/events.jsonl | jq -r .event)" = lab.down

# --- signals to run -------------------------------------------------------------------------------------------------

signalled() { # SIGNAL NAME
  # A job of a shell without job control ignores SIGINT; env gives it back.
  env --default-signal=INT "$azlab" run long.yaml --name "$2" --out "$work/$2" > "$2.out" 2>&1 &
  local run=$!
  check "run, to be ended by SIG$1" wait_for 60 running "$2"
  note_programs "$2"
  kill "-$1" "$run"
  check "SIG$1 ends it" wait_for 30 ended "$run"
  wait "$run"
  check "SIG$1: exit status 4" test $? = 4
  check "SIG$1: it says so" grep -q "interrupted; taking the lab down" "$2.out"
  check "SIG$1: what was recorded is kept, and is not trusted" test "$(jq -r .verdict "$2/summary.json")" = untrusted
  leaves_nothing "SIG$1"
}
signalled INT interrupted
signalled TERM terminated

"$azlab" run long.yaml --name unread --out "$work/unread" --set scenario.1.at=500ms 2>&1 | head -n 2 > /dev/null
check "run whose output nobody reads ends well" test -f unread/summary.json
leaves_nothing "output that nobody reads"
check "run with no standard files at all" bash -c "'$azlab' run long.yaml --name closed --out '$work/closed' --set scenario.1.at=500ms <&- >&- 2>&-; [ -f '$work/closed/summary.json' ] && jq -es 'length > 5' '$work/closed/events.jsonl'"
leaves_nothing "closed standard files"

env --default-signal=INT "$azlab" up t.yaml --name early --out "$work/early" > early.out 2>&1 &
up=$!
building() { [ -n "$(ls /run/netns 2>/dev/null)" ]; }
check "up, to be interrupted while it builds" wait_for 30 building
kill -INT "$(pgrep -P "$up" azlab)"
check "Ctrl-C during up ends it" wait_for 30 ended "$up"
wait "$up"
check "exit status 4" test $? = 4
programs='' maps=''
leaves_nothing "Ctrl-C during up"

"$azlab" up t.yaml --name early --out "$work/early2" > early2.out 2>&1 &
up=$!
check "up, to be taken down while it builds" wait_for 30 building
check_line "status of it says so" 4 "early does not answer: it is still coming up" "$azlab" status
check_exit "down takes it down" 0 "" lab_down early
check "up ends" wait_for 30 ended "$up"
check "nothing is left" nothing_in_shared_places

# --- kill -9 --------------------------------------------------------------------------------------------------------

# A namespace, a folder and a process of somebody else's, with names as azlab's could be.
ip netns add end.az1.foreign
mkdir -p /etc/netns/end.az1.foreign
echo 'nameserver 192.0.2.1' > /etc/netns/end.az1.foreign/resolv.conf
foreign=$(stat -L -c %i /run/netns/end.az1.foreign)
theirs_stays() {
  [ "$(stat -L -c %i /run/netns/end.az1.foreign)" = "$foreign" ] && grep -q 192.0.2.1 /etc/netns/end.az1.foreign/resolv.conf &&
    ip netns exec end.az1.foreign true
}
only_theirs() { [ "$(ls /run/netns)" = end.az1.foreign ] && [ "$(ls /etc/netns)" = end.az1.foreign ] && [ ! -e /run/azlab ]; }

check "up" lab_up end t.yaml --out "$work/killed"
note_programs end
kill -KILL "$(orchestrator_of end)"
check "kill -9 of the orchestrator: no process of the lab is left within 1 s" wait_for 1 no_lab_processes
check_exit "ls says that it is dead" 0 "^end +dead; azlab clean removes it" "$azlab" ls
check_line "a dead lab is no running lab" 2 "no lab is up" "$azlab" status
check_exit "clean removes it" 0 "^removed lab end: [0-9]+ namespaces" "$azlab" clean
check "and only it" only_theirs
check "the foreign namespace stays" theirs_stays
check "no BPF program is left" wait_for 30 gone prog $programs
check "the host's network is as before" host_is_as_before

check "up once more" lab_up end t.yaml --out "$work/killed2"
check "a second lab beside it" lab_up beside t.yaml --out "$work/beside"
kill -KILL "$(orchestrator_of end)"
check "its processes go, the other lab's stay" wait_for 1 bash -c "[ \$(pgrep -c -x azlab-init) = 1 ]"
check "the next up removes what it left, under the same name" lab_up end t.yaml --out "$work/again"
check "the other lab is untouched" status beside '[.nodes[].state] | all(. == "running")'
kill -KILL "$(orchestrator_of end)"
check_exit "clean with another lab up" 0 "^removed lab end" "$azlab" clean
check "the other lab is untouched" status beside '[.nodes[].state] | all(. == "running")'
check "the foreign namespace stays" theirs_stays
check "down of the other" lab_down beside
check "and only what is foreign is left" only_theirs
finish
