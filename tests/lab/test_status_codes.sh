#!/usr/bin/env bash
# Exit statuses and messages: what a user meets who lacks something, or mistypes.
. "$(dirname "$0")/lib.sh"
private_host "$@"

as_user() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
verbs="run up down check ls status exec capture fault failover instance set events report compare clean"

small_topology > good.yaml
chmod 755 . && chmod 644 good.yaml

# --- help -------------------------------------------------------------------------------------------------------

check_exit "azlab --help lists every command" 0 "azlab run .*" "$azlab" --help
check_exit "azlab alone teaches, too, with status 2" 2 "Begin with" "$azlab"
check_exit "an unknown command is named" 2 "no command 'rum'.*--help" "$azlab" rum
for verb in $verbs; do
  check_exit "$verb --help teaches" 0 "Usage: azlab $verb" "$azlab" "$verb" --help
  check_exit "$verb --nonsense is bad usage" 2 "unrecognized option" "$azlab" "$verb" --nonsense
  check "azlab --help names $verb" bash -c "'$azlab' --help | grep -q 'azlab $verb '"
done

# --- not root ---------------------------------------------------------------------------------------------------

chmod 777 .
for words in "run good.yaml" "up good.yaml" down ls status "exec az1 -- true" "capture az1 -w /tmp/x.pcapng" "fault list" \
  "failover status" "instance launch az1" "set seed=2" events clean; do
  # shellcheck disable=SC2086
  check_line "not root: ${words%% *} says what to do" 77 "sudo" as_user "$azlab" $words
done

# --- check ------------------------------------------------------------------------------------------------------

check_exit "check is silent on a good topology, for any user" 0 "" as_user "$azlab" check good.yaml
for topology in "$top"/topologies/*.yaml; do
  check_exit "check: $(basename "$topology") is good" 0 "" "$azlab" check "$topology"
done
check_exit "check --plan prints namespaces, addresses, processes" 0 "az1\.nlb.*" as_user "$azlab" check good.yaml --plan
check "the plan of one topology is always the same" bash -c "diff <('$azlab' check good.yaml --plan) <('$azlab' check good.yaml --plan)"
check_exit "check --host as a user says what only root can find out" 4 "unknown .*only root" as_user "$azlab" check --host
check_exit "check --host as root" 0 "^yes .*BPF" "$azlab" check --host

bad() { # TEXT PATTERN SED-SCRIPT: good.yaml so changed is refused with this line
  small_topology | sed "$3" > bad.yaml
  check_line "bad topology: $1" 2 "$2" as_user "$azlab" check bad.yaml
}
bad "an unknown key, with its place" "^bad.yaml:4:28: unknown key .servise_time., did you mean .service_time.." 's/service_time/servise_time/'
bad "a value without its unit, with its place" "^bad.yaml:4:[0-9]+: service_time: expected a duration.*found '10'" 's/10ms/10/'
bad "a missing member, with the map's place" "^bad.yaml:[0-9]+:[0-9]+: .*zones" '/^zones/d'
bad "no YAML at all" "^bad.yaml:[0-9]+:[0-9]+: " 's/^zones: \[/zones: [[/'
bad "a scenario's command is checked, too" "^bad.yaml:[0-9]+:[0-9]+: .*no fault 'slw'" \
  '$ascenario: [{phase: a, at: 0s, do: [fault on slw]}, {phase: b, at: 1s}]'
check_line "run refuses a bad topology" 2 "^bad.yaml:[0-9]+:[0-9]+: " "$azlab" run bad.yaml
check_line "up refuses a bad topology" 2 "^bad.yaml:[0-9]+:[0-9]+: " "$azlab" up bad.yaml
check_line "a file that isn't there" 2 "cannot read 'nosuch.yaml': No such file" "$azlab" run nosuch.yaml
check_line "a --set that names nothing" 2 "services.shop.queue=1: .*" "$azlab" check good.yaml --set services.shop.queue=1

# --- usage ------------------------------------------------------------------------------------------------------

check_exit "run without a topology" 2 "which topology" "$azlab" run
check_exit "run of two topologies" 2 "one topology at a time" "$azlab" run good.yaml good.yaml
check_exit "--seed wants a number" 2 "takes a number" "$azlab" run good.yaml --seed x
check_exit "--repeat wants a number" 2 "from 1 to" "$azlab" run good.yaml --repeat 0
check_line "a lab's name has limits" 2 "at most 32" "$azlab" run good.yaml --name "a/b"
mkdir full && touch full/something
check_line "a run folder that isn't empty" 2 "full.*isn't empty" "$azlab" run good.yaml --out full
check "and nothing happened to it" test "$(ls -A full)" = something
check_line "report of what is no run folder" 2 "full.*not a run folder" "$azlab" report full
check_exit "compare of one run" 2 "two or more" "$azlab" compare full
check_exit "compare of what is no run folder" 2 "'full' has no summary.json.*not a run folder" "$azlab" compare full full
check_exit "compare of what isn't there" 2 "cannot open 'nosuch': No such file" "$azlab" compare nosuch full
echo '[1' > full/summary.json
check_exit "compare of a torn summary" 2 "full/summary.json:[0-9]+:[0-9]+: " "$azlab" compare full full
rm full/summary.json
for words in status "fault list" "exec az1 -- true" down events; do
  # shellcheck disable=SC2086
  check_line "no lab is up: ${words%% *}" 2 "no lab is up.*azlab up" "$azlab" $words
done
check_exit "ls without labs" 0 "^no labs$" "$azlab" ls
check "ls --json without labs" test "$("$azlab" ls --json | jq length)" = 0
check_exit "clean without labs" 0 "^nothing to clean$" "$azlab" clean

# --- a host that can't ------------------------------------------------------------------------------------------

without() { # CAPABILITIES COMMAND...
  local caps=$1
  shift
  setpriv --bounding-set "$caps" --inh-caps "$caps" "$@"
}
# As in a container whose seccomp profile forbids bpf(): a filter that answers EPERM.
without_bpf() {
  perl -e '
    my %numbers = (x86_64 => [321, 317, 157], aarch64 => [280, 277, 167]);
    chomp(my $machine = `uname -m`);
    my ($bpf, $seccomp, $prctl) = @{$numbers{$machine} or exit 99};
    my $filter = pack "SCCL" x 4, 0x20, 0, 0, 0, 0x15, 0, 1, $bpf, 6, 0, 0, 0x50001, 6, 0, 0, 0x7fff0000;
    my $program = pack "S x6 P", 4, $filter;
    syscall($prctl, 38, 1, 0, 0, 0);
    syscall($seccomp, 1, 0, $program) == 0 or exit 99;
    exec @ARGV' "$@"
}
check_line "no CAP_BPF nor CAP_SYS_ADMIN: run says so" 77 "CAP_SYS_ADMIN.*check --host" without -bpf,-sys_admin "$azlab" run good.yaml --out no-bpf
check_line "no CAP_NET_ADMIN: run says so" 77 "CAP_NET_ADMIN.*check --host" without -net_admin "$azlab" run good.yaml --out no-net
check_exit "check --host says it too" 4 "^no .*root privileges" without -sys_admin,-net_admin "$azlab" check --host

read_only_run() { # COMMAND...: with a /run that nobody can write to
  unshare --mount --propagation private bash -c 'mount -t tmpfs -o ro tmpfs /run && exec "$@"' - "$@"
}
# Without the lines that tell what the lab is doing, which begin with blanks.
why() {
  "$@" 2>&1 | grep -v '^ ' | grep -v '^what there is of the run'
  return "${PIPESTATUS[0]}"
}
check_line "no place for /run/netns: run says so" 4 "cannot make /run/azlab.*" why read_only_run "$azlab" run good.yaml --out no-run
check_line "no place for /run/netns: up says so" 4 "cannot make /run/azlab.*" why read_only_run "$azlab" up good.yaml --out no-run2
# /run/azlab can be made, /run/netns can't: something else has the name
touch /run/netns
check_line "/run/netns is a file: run says so" 4 "/run/netns.*folder" why "$azlab" run good.yaml --out no-netns
rm /run/netns
check_line "no bpf(): run says so" 4 "BPF|bpf" why without_bpf "$azlab" run good.yaml --out no-bpf2
check_exit "check --host names it" 4 "^no .*BPF programs" without_bpf "$azlab" check --host
check_exit "check --host names it" 4 "^no .*writable /run" read_only_run "$azlab" check --host
check "nothing of all this is left" test -z "$(shared_places)"
check "nor any process" no_lab_processes
finish
