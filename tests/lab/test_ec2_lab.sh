#!/usr/bin/env bash
# EC2 in a small lab, as its users and its operator see it: the AWS CLI and boto3 from a zone, DynamoDB by its name only;
# instances virtual and real; the operator's commands; what a restart of DWFM or of DynamoDB costs: no lease, no write.
. "$(dirname "$0")/lib.sh"
private_host "$@"
for program in aws curl ip; do command -v "$program" >/dev/null || skip_all "needs $program"; done
# Debian's own, whatever else is first in the path
/usr/bin/python3 -c 'import boto3' 2>/dev/null || skip_all "needs boto3 (package python3-boto3)"

cat > t.yaml <<'YAML'
zones: [az1, az2, az3]
services:
  shop:
    targets: {per_zone: 1, service_time: 5ms}
    health_check: {interval: 500ms, timeout: 400ms}
    dns: {ttl: 1s}
  dynamodb:
    targets: {program: dynamodb, per_zone: 1, concurrency: 64, service_time: 1ms, max_connection_age: 1s}
    health_check: {interval: 500ms, timeout: 400ms}
    dns: {name: dynamodb.us-east-1.lab, ttl: 1s, negative_ttl: 1s}
ec2:
  service: shop
  droplets: {per_zone: 20, slots: 4}
  dwfm: {hosts: 2, lease: 5m, renew_every: 2s}
clients:
  - {from: az1, to: shop, rate: 5/s, timeout: 2s}
faults:
  no-routes: {drop: 100%, class: route-update, to: az1}
YAML

check "a lab comes up" lab_up ec2 t.yaml
[ "$failures" -eq 0 ] || finish # all else would wait for what cannot come
database=http://dynamodb.us-east-1.lab
api=http://$(ip netns exec ec2.region.ec2-api ip -json -4 address show dev eth0 | jq -r '.[0].addr_info[0].local'):8080

# --- real clients, from a zone ------------------------------------------------------------------------------------

# No metadata service, pager, profile or proxy of the machine's has a say.
clean=(env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/nonexistent AWS_EC2_METADATA_DISABLED=true AWS_PAGER=
  AWS_ACCESS_KEY_ID=anyone AWS_SECRET_ACCESS_KEY=anything AWS_DEFAULT_REGION=us-east-1 AWS_DEFAULT_OUTPUT=json
  PYTHONDONTWRITEBYTECODE=1)
in_zone() { ip netns exec "ec2.$1.${2}" "${clean[@]}" "${@:3}"; } # ZONE NODE COMMAND...
dynamodb() { in_zone az1 client-1 /usr/bin/aws --endpoint-url "$database" dynamodb "$@"; }
ec2() { in_zone az1 client-1 /usr/bin/aws --endpoint-url "$api" ec2 "$@"; }
says() { # FILTER COMMAND...: what the command says is JSON for which the filter holds
  local filter=$1 said
  shift
  said=$("$@") && jq -e "$filter" <<<"$said" >/dev/null || { echo "$said"; return 1; }
}

check "AWS CLI: create-table, by the endpoint's name" says '.TableDescription.TableStatus == "ACTIVE"' dynamodb create-table \
  --table-name things --billing-mode PAY_PER_REQUEST --attribute-definitions AttributeName=id,AttributeType=S \
  --key-schema AttributeName=id,KeyType=HASH
check "AWS CLI: put-item" dynamodb put-item --table-name things --item '{"id":{"S":"a"},"n":{"N":"1"}}'
check "AWS CLI: a conditional update" says '.Attributes.n.N == "2"' dynamodb update-item --table-name things \
  --key '{"id":{"S":"a"}}' --update-expression 'ADD n :one' --condition-expression 'n = :one' \
  --expression-attribute-values '{":one":{"N":"1"}}' --return-values ALL_NEW
check_exit "AWS CLI: the same again is refused" 254 "ConditionalCheckFailedException" dynamodb update-item \
  --table-name things --key '{"id":{"S":"a"}}' --update-expression 'ADD n :one' --condition-expression 'n = :one' \
  --expression-attribute-values '{":one":{"N":"1"}}'
check "AWS CLI: get-item" says '.Item == {"id": {"S": "a"}, "n": {"N": "2"}}' dynamodb get-item --table-name things \
  --key '{"id":{"S":"a"}}'
check "boto3: items, conditions, instances, tokens, errors" in_zone az1 client-1 /usr/bin/python3 \
  "$top/tests/lab/ec2_boto3.py" "$database" "$api"

# --- instances ----------------------------------------------------------------------------------------------------

shops() { status ec2 "[.services[] | select(.service == \"shop\").zones[] | select(.zone == \"$1\").targets[].node] | join(\" \")"; }
launch() { # ZONE [TAG...]: its id
  local zone=$1 tags=()
  [ $# -eq 1 ] || tags=(--tag-specifications 'ResourceType=instance,Tags=[{Key=azlab:real,Value=true}]')
  ec2 run-instances --image-id ami-12345678 --placement "AvailabilityZone=$zone" "${tags[@]}" | jq -r '.Instances[].InstanceId'
}
state_of() { ec2 describe-instances --instance-ids "$1" | jq -r '.Reservations[].Instances[] | [.State.Name, .PrivateIpAddress // "none"] | join(" ")'; }
is_running() { has_event ec2 ".event == \"instance.running\" and .instance == \"$1\""; }
answers() { in_zone az1 client-1 curl -sf --max-time 5 "http://$1/" | jq -e ".node == \"$2\""; }

virtual=$(launch az2)
check "run-instances: a virtual instance" wait_for 30 is_running "$virtual"
check "describe-instances: it runs, and is bookkeeping only" test "$(state_of "$virtual")" = "running none"
check "no target comes of it" test "$(shops az2)" = az2.shop-1

real=$(launch az1 real)
check "run-instances: a real one" wait_for 30 is_running "$real"
said=$(state_of "$real")
address=${said#running }
check "describe-instances: it runs and has an address" grep -qE '^10\.1\.[0-9.]+$' <<<"$address"
check "status has it as a target of shop" test "$(shops az1)" = "az1.shop-1 az1.shop-2"
check "healthy and well" wait_for 30 target_is ec2 az1.shop-2 well true
check "it answers by HTTP" wait_for 30 answers "$address" az1.shop-2
in_use() { "$azlab" dwfm ec2 status --json | jq -e "[.droplets[].used] | add == $1"; }
check "two slots of droplets are in use" wait_for 30 in_use 2
process_of() { ip netns pids "ec2.$1"; }
was=$(process_of az1.shop-2)
check "reboot-instances" ec2 reboot-instances --instance-ids "$real"
is_another() { local now; now=$(process_of "$1") && [ -n "$now" ] && [ "$now" != "$2" ]; }
check "its process is another one" wait_for 30 is_another az1.shop-2 "$was"
check "it answers by HTTP again, at the same address" wait_for 30 answers "$address" az1.shop-2
check "which describe-instances shows" test "$(state_of "$real")" = "running $address"
check "reboot-instances of the virtual one" ec2 reboot-instances --instance-ids "$virtual"
check "terminate-instances" says '[.TerminatingInstances[].CurrentState.Name] == ["shutting-down"]' ec2 terminate-instances --instance-ids "$real"
check "its namespace goes" wait_for 30 test ! -e /run/netns/ec2.az1.shop-2
check "and the target" test "$(shops az1)" = az1.shop-1
check "and its slot is free" wait_for 30 in_use 1
terminated() { [ "$(state_of "$1")" = "terminated $address" ] || [ "$(state_of "$1")" = "terminated none" ]; }
check "describe-instances: terminated" wait_for 30 terminated "$real"

# --- when load balancers learn of it --------------------------------------------------------------------------------

# az1 hears of no route, so no instance is ever propagated: what is registered then was so before.
check "az1 loses its route updates" "$azlab" fault ec2 on no-routes
check "launches are answered soon" "$azlab" set ec2 ec2.api.timeout=1s
early=$(launch az2 real)
check "register: at-launch: a target without routes everywhere" wait_for 30 target_is ec2 az2.shop-2 registered true
check "it is pending" test "$(state_of "$early" | cut -d' ' -f1)" = pending
check "set register=when-propagated" "$azlab" set ec2 ec2.register=when-propagated
late=$(launch az3 real)
check "register: when-propagated: it is there" wait_for 30 test -e /run/netns/ec2.az3.shop-2
check "but is no target yet" wait_for 30 target_is ec2 az3.shop-2 registered false
check "the routes come" "$azlab" fault ec2 off no-routes
check "it is a target now" wait_for 60 target_is ec2 az3.shop-2 registered true
for instance in "$early" "$late"; do check "$instance runs" wait_for 60 is_running "$instance"; done

# --- the operator ---------------------------------------------------------------------------------------------------

throttled() { "$azlab" ec2 ec2 status --json | jq -e ".rate_per_s == $1"; }
check_exit "ec2 status" 0 "throttle +off" "$azlab" ec2 ec2 status
check "ec2 throttle" "$azlab" ec2 ec2 throttle 5/s
check_exit "ec2 status tells" 0 "throttle +5 calls/s" "$azlab" ec2 ec2 status
check "and --json" throttled 5
check "ec2 throttle off" "$azlab" ec2 ec2 throttle off
check "is off" throttled 0
check "LAB may be left out" "$azlab" ec2 status
check_exit "dwfm status" 0 "region.dwfm-2 +30/30 " "$azlab" dwfm ec2 status
all_held() { "$azlab" dwfm ec2 status --json | jq -e '[.hosts[] | .held == 30 and .droplets == 30 and .running] | length == 2 and all'; }
check "dwfm status --json: all leases are held" all_held
check "dwfm set" "$azlab" dwfm ec2 set discipline=lifo deadlines=on
check "is an event" has_event ec2 '.event == "knob.set" and .knob == "ec2.dwfm.discipline=lifo"'
check "dwfm clear-queue of a host" "$azlab" dwfm ec2 clear-queue dwfm-2
cleared() { has_event ec2 ".event == \"dwfm.cleared\" and .node == \"region.$1\""; }
check "it did" wait_for 30 cleared dwfm-2
check_not "the other did not" cleared dwfm-1
check "dwfm clear-queue of all" "$azlab" dwfm ec2 clear-queue
check "the other did too" wait_for 30 cleared dwfm-1
check_line "an unknown ec2 command" 2 "did you mean 'status'" "$azlab" ec2 ec2 statu
check_line "a rate that is none" 2 "expected a rate such as 5/s, or off, found 'fast'" "$azlab" ec2 ec2 throttle fast
check_line "throttle without a rate" 2 "expected: ec2 throttle RATE\|off" "$azlab" ec2 ec2 throttle
check_line "an unknown dwfm command" 2 "there are: status, throttle, restart, clear-queue, set" "$azlab" dwfm ec2 clear
check_line "a host that isn't there" 2 "expected a host of DWFM, dwfm-1 to dwfm-2, found 'dwfm-3'" "$azlab" dwfm ec2 restart dwfm-3
check_line "the same of clear-queue" 2 "expected a host of DWFM, dwfm-1 to dwfm-2, found 'x'" "$azlab" dwfm ec2 clear-queue x
check_line "a wrong value" 2 "expected fifo, lifo or codel, found 'last'" "$azlab" dwfm ec2 set discipline=last
check_line "an unknown knob" 2 "unknown key 'disciplin', did you mean 'discipline'" "$azlab" dwfm ec2 set disciplin=lifo
check_line "a knob without a value" 2 "expected: dwfm set KEY=VALUE" "$azlab" dwfm ec2 set lease
check_line "leases shorter than their renewals" 2 "renew_every: as long as the lease or longer" "$azlab" dwfm ec2 set lease=1s

# --- a host of DWFM begins anew ---------------------------------------------------------------------------------------

call() { # ZONE NODE OPERATION BODY: DynamoDB, without a client library
  in_zone "$1" "$2" curl -sf --max-time 5 -H "X-Amz-Target: DynamoDB_20120810.$3" -H 'Content-Type: application/x-amz-json-1.0' -d "$4" "$database"
}
leases() { call az1 client-1 Scan '{"TableName": "leases"}' | jq -c '.Items | map({key: .droplet.S, value: {holder: .holder.S, epoch: (.epoch.N | tonumber)}}) | from_entries'; }
leases > before.json
check "60 droplets have a lease in DynamoDB" jq -e 'length == 60' before.json
restarted() { # HOST: since its restart it has renewed all of its leases, which it does under a new epoch
  leases > after.json
  jq -e --slurpfile was before.json --arg host "$1" 'with_entries(select(.value.holder == $host)) | length == 30 and
    all(to_entries[]; .value.epoch == $was[0][.key].epoch + 1)' after.json
}
check "instance restart of a host" "$azlab" instance ec2 restart region.dwfm-1
check "it takes its own leases again, each with the next epoch" wait_for 60 restarted dwfm-1
check "no droplet has another holder" jq -e --slurpfile was before.json 'map_values(.holder) == ($was[0] | map_values(.holder))' after.json
check "the other host's leases ran on under their epochs" jq -e --slurpfile was before.json \
  'def of: with_entries(select(.value.holder == "dwfm-2")); of == ($was[0] | of)' after.json
check_not "no lease has run out" has_event ec2 '.event == "lease.lost"'
check "no droplet was ever without one" bash -c "'$azlab' dwfm ec2 status --json | jq -e '[.droplets[].leased] == [20, 20, 20]'"
check_not "nor had two holders" has_event ec2 '.event == "lease.overlap"'
check "dwfm restart of a host" "$azlab" dwfm ec2 restart 2
check "it too takes its leases again, each with the next epoch" wait_for 60 restarted dwfm-2
check "both hold all of their leases" wait_for 60 all_held
exits() { "$azlab" events ec2 | jq -es "[.[] | select(.event == \"node.exited\" and .expected == $1).node] | sort == $2"; }
check "all restarts were asked for" wait_for 30 exits true '["az1.shop-2", "az1.shop-2", "region.dwfm-1", "region.dwfm-2"]'
check "launches go on" wait_for 60 is_running "$(launch az3)"

# --- DynamoDB is killed under load ------------------------------------------------------------------------------------

write() { # ZONE NODE: one item after another until told to stop; the acknowledged ones by their key
  local n=0
  while [ ! -e stop ]; do
    n=$((n + 1))
    call "$1" "$2" PutItem "{\"TableName\": \"things\", \"Item\": {\"id\": {\"S\": \"$1-$n\"}}}" >/dev/null && echo "$1-$n" >> "acknowledged.$1"
  done
}
written() { cat acknowledged.* 2>/dev/null | wc -l; }
more_than() { [ "$(written)" -gt "$1" ]; }
writers=()
for place in "az1 client-1" "az2 checker" "az3 checker"; do
  # shellcheck disable=SC2086 # two words
  write $place &
  writers+=($!)
done
check "three zones write" wait_for 60 more_than 30
check "instance restart of one of DynamoDB's" "$azlab" instance ec2 restart az1.dynamodb-1
mark=$(written)
check "kill -9 of another one, from outside" kill -9 "$(ip netns pids ec2.az2.dynamodb-1)"
ended_alone() { has_event ec2 '.event == "node.exited" and .node == "az2.dynamodb-1" and .expected == false'; }
check "the lab says that it ended by itself" wait_for 30 ended_alone
check "writing goes on" wait_for 60 more_than $((mark + 60))
touch stop
wait "${writers[@]}"
call az3 checker Scan '{"TableName": "things", "ProjectionExpression": "id"}' | jq -r '.Items[].id.S' | sort > there
sort acknowledged.* > acknowledged
echo "# $(wc -l < acknowledged) writes acknowledged, $(wc -l < there) items there"
check "no acknowledged write is lost" test -z "$(comm -23 acknowledged there)"
check "the leases are all held" wait_for 60 all_held

# --- the end ----------------------------------------------------------------------------------------------------------

check "down" lab_down ec2
check "nothing is left" test -z "$(shared_places)"
check "nor any process" no_lab_processes
check_not "no node had anything to say of memory or undefined behaviour" grep -rlE 'AddressSanitizer|LeakSanitizer|runtime error:' ec2
finish
