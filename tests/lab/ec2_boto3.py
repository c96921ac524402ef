"""What boto3 makes of a lab's DynamoDB, found by its name, and of its EC2. test_ec2_lab.sh starts it in a zone.

    ec2_boto3.py DYNAMODB-ENDPOINT EC2-ENDPOINT

Says what does not hold, a line each, and fails then.
"""
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

LEASE = {
    "Key": {"id": {"S": "host"}}, "UpdateExpression": "SET holder = :me ADD epoch :one",
    "ConditionExpression": "attribute_not_exists(holder) OR holder = :me", "ReturnValues": "ALL_NEW",
}
PATIENT = Config(connect_timeout=30, read_timeout=60)
failures = 0


def expect(text, wanted, got):
    global failures
    if wanted != got:
        failures += 1
        print(f"{text}: wanted {wanted!r}, got {got!r}")


def code_of(call, **parameters):
    try:
        call(**parameters)
    except ClientError as e:
        return e.response["Error"]["Code"]
    return "none"


def database(db):
    db.create_table(TableName="boto", BillingMode="PAY_PER_REQUEST",
                    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}])
    item = {"id": {"S": "a"}, "n": {"N": "7"}}
    db.put_item(TableName="boto", Item=item)
    expect("get_item", item, db.get_item(TableName="boto", Key={"id": {"S": "a"}}).get("Item"))

    def take(me):
        return db.update_item(TableName="boto", ExpressionAttributeValues={":me": {"S": me}, ":one": {"N": "1"}}, **LEASE)
    expect("a conditional update", {"N": "1"}, take("one")["Attributes"]["epoch"])
    expect("its holder's second one", {"N": "2"}, take("one")["Attributes"]["epoch"])
    expect("another's", "ConditionalCheckFailedException", code_of(take, me="two"))


def instances(ec2):
    one = {"ImageId": "ami-12345678", "MinCount": 1, "MaxCount": 1, "ClientToken": "boto3's own",
           "Placement": {"AvailabilityZone": "az3"}}
    started = ec2.run_instances(**one)["Instances"][0]
    again = ec2.run_instances(**one)["Instances"][0]
    expect("a repeated token's instance", started["InstanceId"], again["InstanceId"])
    expect("the token with other parameters", "IdempotentParameterMismatch",
           code_of(ec2.run_instances, **{**one, "Placement": {"AvailabilityZone": "az1"}}))
    found = ec2.describe_instances(Filters=[{"Name": "client-token", "Values": [one["ClientToken"]]}])
    expect("instances of that token", [started["InstanceId"]],
           [i["InstanceId"] for r in found["Reservations"] for i in r["Instances"]])
    expect("DryRun", "DryRunOperation", code_of(ec2.run_instances, ImageId="ami-1", MinCount=1, MaxCount=1, DryRun=True))
    expect("an unknown instance", "InvalidInstanceID.NotFound",
           code_of(ec2.terminate_instances, InstanceIds=["i-00000000000000000"]))
    ended = ec2.terminate_instances(InstanceIds=[started["InstanceId"]])["TerminatingInstances"][0]
    expect("its end", "shutting-down", ended["CurrentState"]["Name"])


database(boto3.client("dynamodb", endpoint_url=sys.argv[1], config=PATIENT))
instances(boto3.client("ec2", endpoint_url=sys.argv[2], config=PATIENT))
sys.exit(failures > 0)
