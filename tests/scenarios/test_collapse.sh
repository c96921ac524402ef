#!/usr/bin/env bash
# The second act's claim, with its controls: DynamoDB's name is gone for longer than a lease, comes back, and the leases'
# manager doesn't, until an operator lends a hand. Without an outage, after a short one, or with work dropped at its
# deadline or served youngest first, nobody has to.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/scenarios/lib.sh
. tests/scenarios/lib_collapse.sh

none() { [[ $(events "$1" "$2") == 0 ]]; } # NAME JQ: no such event
if [[ ${SAN:-} ]]; then
  ok "droplet-collapse plays to its end" sound san "$T" --seed 1
  ok "no sanitizer has said anything" silent
  ok "no node ended by itself" none san '.event == "node.exited" and .expected == false'
  ok "no droplet had two holders" none san '.event == "lease.overlap"'
  ok "the stimulus happened" test "$(events san '.event == "endpoint.empty" and .endpoint == "dynamodb"')" -gt 0
  ok "nothing is left of it" nothing_left san
  finish
  exit
fi

gone_and_back() { # NAME: DynamoDB's own endpoint was empty, and isn't any more
  ! none "$1" '.event == "endpoint.empty" and .endpoint == "dynamodb"' &&
    ! none "$1" '.event == "endpoint.restored" and .endpoint == "dynamodb"'
}
one_holder() { none "$1" '.event == "lease.overlap"'; }
expected() {
  [[ $(figure "$1" .verdict) == pass ]] && return 0
  figure "$1" '.expectations[] | select(.pass | not) | "#   " + .text'
  return 1
}

# --- as it was -------------------------------------------------------------------------------------------------------

ok "droplet-collapse runs and can be believed" run collapse "$T" --seed 1
measured collapse
ok "everything that it expects holds" expected collapse
ok "the name went, and came back" gone_and_back collapse
ok "with DynamoDB well for 60 s no lease comes back by itself" holds collapse '.phases.back | .to_s - .from_s >= 60 and .ec2.leases_recovered_s == null'
ok "good work stays under a tenth of calm's" ec2_holds collapse back '.good_of_calm < 0.1'
ok "work is done all the while, and thrown away" ec2_holds collapse back '.stale_per_s > 100'
ok "the recovery invariant is broken" ec2_holds collapse back '.recovery_broken_s >= 30'
ok "the operator's hand brings the leases back" ec2_holds collapse mended '.leases_recovered_s != null'
ok "no droplet ever had two holders" one_holder collapse

# --- controls: nobody lends a hand ---------------------------------------------------------------------------------------

ok "no outage: runs" run calm "$T" --seed 1 --set 'expect=[]' --set 'scenario=[{phase: calm, at: 0s}, {phase: end, at: 30s}]'
measured calm
ok "no outage: every lease is held all the while" ec2_holds calm calm '.leases_held_min >= 0.98 * .droplets'
ok "no outage: no work is thrown away" ec2_holds calm calm '.stale_per_s <= 1 and .good_per_s >= 0.9 * .droplets / 5'

# The knife edge lies at 7 s (scripts/bench droplet-collapse): what so short an outage leaves behind is worked off.
ok "2 s without the name: runs" cut short 1 8 2000 15 ""
measured short
ok "2 s without the name: it went, and came back" gone_and_back short
ok "2 s without the name: ends by itself" ec2_holds short back "$ENDS_BY_ITSELF"
ok "2 s without the name: work goes on as in calm" ec2_holds short back '.good_of_calm > 0.8 and .recovery_broken_s == 0'

for remedy in deadlines=on discipline=lifo; do
  name=${remedy%=*}
  ok "$remedy: runs" cut "$name" 1 8 20000 15 "" --set "ec2.dwfm.$remedy"
  measured "$name"
  ok "$remedy: the name went, and came back" gone_and_back "$name"
  ok "$remedy: the leases ran out" ec2_holds "$name" gone '.leases_held <= 0.1 * .droplets'
  ok "$remedy: they are back within 3 times what the work takes" ec2_holds "$name" back "$IN_TIME"
  ok "$remedy: and the recovery invariant holds" ec2_holds "$name" back '.recovery_broken_s == 0'
  ok "$remedy: no droplet ever had two holders" one_holder "$name"
done
finish
