#!/usr/bin/env bash
# The real clients, AWS CLI and boto3, against azlab-dynamodb in a network namespace of its own. Prints TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)

skip() { echo "1..0 # SKIP $1"; exit 77; }
[ "$(id -u)" -eq 0 ] || skip "needs root"
command -v aws >/dev/null || skip "needs the AWS CLI (package awscli)"
# Debian's own, whatever else is first in the path
/usr/bin/python3 -c 'import boto3' 2>/dev/null || skip "needs boto3 (package python3-boto3)"

# no metadata service, pager, profile or proxy of the machine's has a say
clean=(env -i "PATH=/usr/bin:/bin:/usr/sbin:/sbin" HOME=/nonexistent AWS_EC2_METADATA_DISABLED=true AWS_PAGER=
  AWS_ACCESS_KEY_ID=anyone AWS_SECRET_ACCESS_KEY=anything AWS_DEFAULT_REGION=us-east-1 AWS_MAX_ATTEMPTS=1
  PYTHONDONTWRITEBYTECODE=1)
exec unshare --net -- sh -c 'ip link set lo up && exec "$@"' sh "${clean[@]}" \
  /usr/bin/python3 "$here/dynamodb_clients.py" "$(realpath -m "${O:-$top/build}")/azlab-dynamodb"
