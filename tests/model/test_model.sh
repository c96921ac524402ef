#!/usr/bin/env bash
# What spin finds in the protocol of the DNS automation under each setting: docs/dns-model.md has the table.
# Each search is exhaustive. FULL=1 searches two more, with 4 plans, that take minutes and 1.9 GB.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 4
# shellcheck source=tests/model/lib.sh
. tests/model/lib.sh
command -v spin >/dev/null || { echo "1..0 # SKIP spin is not installed"; exit 77; }

# what is expected; of what, in words; settings; properties (none: all four); a name
cases='
violated | the active tree is never deleted; historical          |                                       | ACTIVE_TREE_KEPT | h-kept
violated | generations never go back; historical                 |                                       | NEVER_BACK       | h-back
violated | the endpoint is never empty; historical               |                                       | NEVER_EMPTY      | h-empty
violated | it can take a new plan again; historical              |                                       | NEVER_STUCK      | h-stuck
violated | generations never go back; per-write                  | FRESHNESS=1                           | NEVER_BACK       | w-back
violated | the endpoint is never empty; per-write                | FRESHNESS=1                           | NEVER_EMPTY      | w-empty
holds    | all four; compare-and-set, large trees                | FRESHNESS=2 TREE_MESSAGES=2           |                  | c-all
holds    | all four; compare-and-set, large trees, may be spared, 3 plans | FRESHNESS=2 TREE_MESSAGES=2 PLANS=3 SPARING=1 |          | c-spare
violated | compare-and-set has something to refuse               | FRESHNESS=2 PLANS=3                   | GUARD_IDLE       | c-idle
holds    | kept, never empty, never stuck; never-active          | CLEANUP=1                             | ACTIVE_TREE_KEPT NEVER_EMPTY NEVER_STUCK | n-rest
violated | never-active has something to refuse                  | CLEANUP=1 PLANS=3                     | GUARD_IDLE       | n-idle
violated | generations never go back; never-active               | CLEANUP=1                             | NEVER_BACK       | n-back
violated | never empty; never-active without alias_check         | CLEANUP=1 ALIAS_CHECK=0               | NEVER_EMPTY      | x-empty
violated | never stuck; never-active without alias_check         | CLEANUP=1 ALIAS_CHECK=0               | NEVER_STUCK      | x-stuck
holds    | kept, never empty, never stuck; never-active, large trees, may be spared, 3 plans | CLEANUP=1 TREE_MESSAGES=2 PLANS=3 SPARING=1 | ACTIVE_TREE_KEPT NEVER_EMPTY NEVER_STUCK | n-large
violated | never empty; so, and the mark comes unconditionally   | CLEANUP=1 TREE_MESSAGES=2 TREE_CHECK=0 | NEVER_EMPTY     | n-mark
violated | what the mark requires has something to refuse        | CLEANUP=1 TREE_MESSAGES=2 PLANS=3     | TREE_CHECK_IDLE  | n-tree
violated | never empty; refuse_empty                             | REFUSE_EMPTY=1                        | NEVER_EMPTY      | e-empty
violated | never stuck; auto_rollback                            | AUTO_ROLLBACK=1                       | NEVER_STUCK      | a-stuck
holds    | never stuck for long; historical, an operator, 3 plans | OPERATOR=1 PLANS=3                   | NEVER_STUCK      | o-stuck
'
[[ -z ${FULL:-} ]] || cases+='
holds    | all four; compare-and-set, large trees, may be spared | FRESHNESS=2 TREE_MESSAGES=2 SPARING=1 |                  | c-full
holds    | kept, never empty, never stuck; never-active, may be spared | CLEANUP=1 SPARING=1             | ACTIVE_TREE_KEPT NEVER_EMPTY NEVER_STUCK | n-full
'

trim() { local w=$1; w=${w#"${w%%[! ]*}"}; printf '%s' "${w%"${w##*[! ]}"}"; }
defines() { local word; for word in $1; do printf -- '-D%s ' "$word"; done; }

number=0 failed=0
while IFS='|' read -r expected what settings properties name; do
  [[ -n $expected ]] || continue
  number=$((number + 1)) name=$(trim "$name") expected=$(trim "$expected")
  found=$(model_search "$name" "$(defines "$settings $properties")")
  states=$(model_states "$name")
  if [[ $found == "$expected" ]]; then
    echo "ok $number - $expected: $(trim "$what") (${states} states)"
  else
    failed=1
    echo "not ok $number - $expected: $(trim "$what"): $found"
    sed 's/^/# /' "$MODEL_DIR/$name/out"
  fi
done <<<"$cases"
echo "1..$number"
exit $failed
