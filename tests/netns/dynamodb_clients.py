"""What boto3 and the AWS CLI make of azlab-dynamodb. Prints TAP; test_dynamodb_clients.sh starts it.

    dynamodb_clients.py DAEMON
"""
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Attr, Key
from botocore.config import Config
from botocore.exceptions import ClientError

PORT = 8000
ENDPOINT = f"http://127.0.0.1:{PORT}"
DEADLINE_S = 60


# --- the daemon ---------------------------------------------------------------------------------------------------

class Daemon:
    """azlab-dynamodb, with this process as its orchestrator."""

    def __init__(self, program, folder):
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fd = theirs.fileno()
        self.process = subprocess.Popen(["sh", "-c", f'exec "$0" 3<&{fd}', program], pass_fds=[fd])
        theirs.close()
        self.channel.send(json.dumps({
            "type": "config", "node": "region.dynamodb-1", "zone": "region", "number": 1, "seed": 1,
            "config": {"port": PORT, "store": folder}}).encode())
        while json.loads(self.receive()).get("kind") != "ready":
            pass

    def receive(self):
        if not select.select([self.channel], [], [], DEADLINE_S)[0]:
            sys.exit("the daemon says nothing")
        return self.channel.recv(1 << 18) or sys.exit("the daemon has ended")

    def stop(self):
        self.channel.close()
        return self.process.wait(DEADLINE_S)


# --- TAP ----------------------------------------------------------------------------------------------------------

class Tap:
    def __init__(self):
        self.number = self.failed = 0

    def check(self, text, wanted, got):
        self.number += 1
        good = wanted == got
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.number} - {text}", flush=True)
        if not good:
            print(f"# wanted {wanted!r}\n# got    {got!r}", flush=True)

    def check_error(self, text, code, call, **parameters):
        try:
            got = call(**parameters)
        except ClientError as e:
            got = e.response["Error"]["Code"]
        self.check(text, code, got)


tap = Tap()


def cli(*words):
    """Status and what it says: JSON on success, the error's text otherwise."""
    done = subprocess.run(["aws", "dynamodb", "--endpoint-url", ENDPOINT, "--output", "json", *words],
                          capture_output=True, text=True, timeout=DEADLINE_S)
    if done.returncode:
        return done.returncode, done.stderr.strip()
    return 0, json.loads(done.stdout) if done.stdout.strip() else None


def client(**config):
    return boto3.client("dynamodb", endpoint_url=ENDPOINT,
                        config=Config(connect_timeout=DEADLINE_S, read_timeout=DEADLINE_S, **config))


# --- the AWS CLI --------------------------------------------------------------------------------------------------

def cli_tables():
    status, said = cli("create-table", "--table-name", "hosts", "--billing-mode", "PAY_PER_REQUEST",
                       "--attribute-definitions", "AttributeName=id,AttributeType=S", "--key-schema",
                       "AttributeName=id,KeyType=HASH")
    tap.check("CLI: create-table", (0, "ACTIVE"), (status, said["TableDescription"]["TableStatus"]))
    tap.check("CLI: wait table-exists ends at its first look", (0, None), cli("wait", "table-exists", "--table-name", "hosts"))
    tap.check("CLI: list-tables", (0, {"TableNames": ["hosts"]}), cli("list-tables"))


def cli_items():
    item = {"id": {"S": "a"}, "n": {"N": "0010"}, "tags": {"SS": ["x", "y"]}}
    tap.check("CLI: put-item", (0, None), cli("put-item", "--table-name", "hosts", "--item", json.dumps(item)))
    item["n"]["N"] = "10"
    tap.check("CLI: get-item, numbers canonical", (0, {"Item": item}),
              cli("get-item", "--table-name", "hosts", "--key", '{"id":{"S":"a"}}', "--consistent-read"))
    tap.check("CLI: unsigned requests are taken", (0, {"Item": item}),
              cli("get-item", "--no-sign-request", "--table-name", "hosts", "--key", '{"id":{"S":"a"}}'))
    status, said = cli("put-item", "--table-name", "hosts", "--item", '{"id":{"S":"a"}}', "--condition-expression",
                       "attribute_not_exists(id)")
    tap.check("CLI: a failed condition is an error of the server's", 254, status)
    tap.check("CLI: and says so", True, "(ConditionalCheckFailedException)" in said and "The conditional request failed" in said)


def cli_pages():
    items = [{"PutRequest": {"Item": {"id": {"S": f"p{i}"}}}} for i in range(9)]
    status, said = cli("batch-write-item", "--request-items", json.dumps({"hosts": items}))
    tap.check("CLI: batch-write-item", (0, {"UnprocessedItems": {}}), (status, said))
    status, said = cli("scan", "--table-name", "hosts", "--page-size", "2")
    tap.check("CLI: scan follows its pages", (0, 10), (status, said["Count"]))
    status, said = cli("scan", "--table-name", "hosts", "--max-items", "3")
    tap.check("CLI: --max-items gives a token", (0, 3, True), (status, len(said["Items"]), "NextToken" in said))
    status, said = cli("get-item", "--table-name", "nope", "--key", '{"id":{"S":"a"}}')
    tap.check("CLI: a missing table is named", (254, True), (status, "(ResourceNotFoundException)" in said))


# --- boto3 --------------------------------------------------------------------------------------------------------

def boto_tables(db):
    db.create_table(TableName="log", BillingMode="PAY_PER_REQUEST",
                    AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}, {"AttributeName": "s", "AttributeType": "N"}],
                    KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}])
    db.get_waiter("table_exists").wait(TableName="log", WaiterConfig={"Delay": 1, "MaxAttempts": 1})
    tap.check("boto3: the waiter is content at once", "ACTIVE", db.describe_table(TableName="log")["Table"]["TableStatus"])
    tap.check_error("boto3: a table is created once", "ResourceInUseException", db.create_table, TableName="log",
                    BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
                    KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}])


def boto_values(table):
    item = {"id": "all", "number": Decimal("1234567890.0987654321"), "bytes": b"\0\1\2\xff", "text": "h\u00e9 \U0001f600 \0 end",
            "digits": Decimal("12345678901234567890123456789012345678"), "tiny": Decimal("1E-130"),
            "list": [1, "two", None, True, {"k": [b"x"]}], "map": {"": "empty name", "deep": {"er": 1}}, "set": {"a", "b"},
            "numbers": {1, Decimal("2.5")}, "binaries": {b"1", b"2"}, "empty": ""}
    table.put_item(Item=item)
    tap.check("boto3: values of all types come back", item, plain(table.get_item(Key={"id": "all"})["Item"]))
    table.put_item(Item={"id": "nul\0key", "v": "\0"})
    tap.check("boto3: NUL in a key and a value", {"id": "nul\0key", "v": "\0"}, table.get_item(Key={"id": "nul\0key"}).get("Item"))
    tap.check("boto3: is not the key before it", None, table.get_item(Key={"id": "nul"}).get("Item"))


def plain(value):
    """boto3's own Binary as bytes."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, set)):
        return type(value)(plain(v) for v in value)
    return bytes(value.value) if hasattr(value, "value") else value


def boto_numbers(db):
    def put(number):
        return db.put_item(TableName="hosts", Item={"id": {"S": "n"}, "v": {"N": number}})
    for sent, back in [("0010", "10"), ("1e3", "1000"), ("-0", "0"), ("0.10", "0.1"), ("1" * 38, "1" * 38),
                       # all digits, as the real service has it; boto3's resources stumble over their number there, too
                       ("9.9E+125", "99" + "0" * 124)]:
        put(sent)
        got = db.get_item(TableName="hosts", Key={"id": {"S": "n"}})["Item"]["v"]["N"]
        tap.check(f"boto3: {sent} is {back}", back, got)
    for bad in ["1" * 39, "1e126", "1e-131", "abc", ""]:
        tap.check_error(f"boto3: '{bad}' is refused", "ValidationException", put, number=bad)


def boto_updates(table):
    def lease(me, now):
        return table.update_item(
            Key={"id": "lease"}, UpdateExpression="SET holder = :me, expires = :until ADD epoch :one",
            ConditionExpression="attribute_not_exists(holder) OR holder = :me OR expires < :now",
            ExpressionAttributeValues={":me": me, ":until": now + 10, ":now": now, ":one": 1},
            ReturnValues="ALL_NEW")["Attributes"]
    tap.check("boto3: a lease is taken", {"id": "lease", "holder": "one", "expires": 110, "epoch": 1}, lease("one", 100))
    tap.check("boto3: and renewed by its holder", 2, lease("one", 105)["epoch"])
    tap.check_error("boto3: but by nobody else", "ConditionalCheckFailedException", lease, me="two", now=115)
    tap.check("boto3: until it has run out", ("two", 3), (lambda a: (a["holder"], a["epoch"]))(lease("two", 116)))
    old = table.update_item(Key={"id": "lease"}, UpdateExpression="REMOVE holder SET #l = list_append(if_not_exists(#l, :none), :more)",
                            ExpressionAttributeNames={"#l": "list"}, ExpressionAttributeValues={":none": [], ":more": [1, 2]},
                            ReturnValues="UPDATED_OLD")["Attributes"]
    tap.check("boto3: REMOVE and list_append, UPDATED_OLD", {"holder": "two"}, old)
    table.update_item(Key={"id": "lease"}, UpdateExpression="ADD #s :s", ExpressionAttributeNames={"#s": "set"},
                      ExpressionAttributeValues={":s": {"a", "b"}})
    new = table.update_item(Key={"id": "lease"}, UpdateExpression="DELETE #s :s", ExpressionAttributeNames={"#s": "set"},
                            ExpressionAttributeValues={":s": {"a"}}, ReturnValues="UPDATED_NEW")["Attributes"]
    tap.check("boto3: ADD and DELETE on a set", {"set": {"b"}}, new)
    tap.check_error("boto3: keys cannot be updated", "ValidationException", table.update_item, Key={"id": "lease"},
                    UpdateExpression="SET id = :x", ExpressionAttributeValues={":x": "y"})


def boto_queries(table):
    with table.batch_writer() as batch:
        for i in range(-20, 40):
            batch.put_item(Item={"p": "x" if i % 3 else "y", "s": i, "even": i % 2 == 0, "pad": "." * 1000})
    got = table.query(KeyConditionExpression=Key("p").eq("x") & Key("s").between(-5, Decimal("5.5")), ScanIndexForward=False)
    tap.check("boto3: a query backwards between numbers", [5, 4, 2, 1, -1, -2, -4, -5], [i["s"] for i in got["Items"]])
    got = table.query(KeyConditionExpression=Key("p").eq("y") & Key("s").gt(29), FilterExpression=Attr("even").eq(True),
                      ProjectionExpression="s")
    tap.check("boto3: filter and projection", ([{"s": 30}, {"s": 36}], 2, 4), (got["Items"], got["Count"], got["ScannedCount"]))
    paginator = table.meta.client.get_paginator("query")
    pages = list(paginator.paginate(TableName="log", KeyConditionExpression=Key("p").eq("x"), PaginationConfig={"PageSize": 7}))
    tap.check("boto3: pages of a query", ([i for i in range(-20, 40) if i % 3], 6),
              ([int(i["s"]) for page in pages for i in page["Items"]], len(pages)))
    count = sum(p["Count"] for s in range(4) for p in table.meta.client.get_paginator("scan").paginate(
        TableName="log", Segment=s, TotalSegments=4))
    tap.check("boto3: a parallel scan sees everything once", 60, count)


def boto_errors(db):
    tap.check_error("boto3: unknown operations", "UnknownOperationException", db.update_table, TableName="log")
    tap.check_error("boto3: transactions are none of ours", "UnknownOperationException", db.transact_get_items,
                    TransactItems=[{"Get": {"TableName": "log", "Key": {}}}])
    tap.check_error("boto3: a key that does not fit", "ValidationException", db.get_item, TableName="log", Key={"p": {"S": "x"}})
    tap.check_error("boto3: reserved words want an alias", "ValidationException", db.scan, TableName="log",
                    FilterExpression="name = :x", ExpressionAttributeValues={":x": {"S": "y"}})
    db.delete_table(TableName="log")
    db.get_waiter("table_not_exists").wait(TableName="log", WaiterConfig={"Delay": 1, "MaxAttempts": 1})
    tap.check_error("boto3: a deleted table is gone", "ResourceNotFoundException", db.describe_table, TableName="log")


def main():
    folder = tempfile.mkdtemp(prefix="azlab-store-")
    daemon = Daemon(sys.argv[1], folder)
    try:
        db, resource = client(), boto3.resource("dynamodb", endpoint_url=ENDPOINT)
        cli_tables()
        cli_items()
        cli_pages()
        boto_tables(db)
        boto_values(resource.Table("hosts"))
        boto_numbers(db)
        boto_updates(resource.Table("hosts"))
        boto_queries(resource.Table("log"))
        boto_errors(db)
    finally:
        status = daemon.stop()
        shutil.rmtree(folder)
    tap.check("the daemon ends well", 0, status)
    print(f"1..{tap.number}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
