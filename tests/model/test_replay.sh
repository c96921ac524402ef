#!/usr/bin/env bash
# Counterexamples of the model, and ways through its guards, replayed against three real enactors and a real Knot: for each
# search the trail that a depth-first search comes to, the next ones of it, and the shortest there is.
# MORE=n takes n of each depth-first search (default 2).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 4
# shellcheck source=tests/model/lib.sh
. tests/model/lib.sh
command -v spin >/dev/null || { echo "1..0 # SKIP spin is not installed"; exit 77; }
((EUID == 0)) || { echo "1..0 # SKIP needs root"; exit 77; }
MODEL_DIR=$PWD/$O/model/replay
rm -rf "$MODEL_DIR"

deep() { # NAME FLAGS: trails of the first errors of a depth-first search
  model_make "$1" "$2" -DCOLLAPSE && (cd "$MODEL_DIR/$1" && timeout "$MODEL_TIMEOUT" ./pan -m$MODEL_DEPTH -e -c"${MORE:-2}" >out 2>&1)
}
short() { # NAME FLAGS: the trail of a breadth-first one, without the property that all has to be quiet for
  model_make "$1-short" "$2 -DSHORTEST" -DBFS && (cd "$MODEL_DIR/$1-short" && timeout "$MODEL_TIMEOUT" ./pan >out 2>&1)
}

while read -r how name flags; do
  [[ -n $how ]] || continue
  [[ $how == short ]] || deep "$name" "$flags"
  [[ $how == deep ]] || short "$name" "$flags"
done <<'END'
both  h-kept   -DACTIVE_TREE_KEPT
both  h-back   -DNEVER_BACK
both  h-empty  -DNEVER_EMPTY
deep  h-stuck  -DNEVER_STUCK
deep  w-empty  -DFRESHNESS=1 -DNEVER_EMPTY
both  x-empty  -DCLEANUP=1 -DALIAS_CHECK=0 -DNEVER_EMPTY
deep  x-stuck  -DCLEANUP=1 -DALIAS_CHECK=0 -DNEVER_STUCK
deep  e-empty  -DREFUSE_EMPTY=1 -DNEVER_EMPTY
deep  a-stuck  -DAUTO_ROLLBACK=1 -DNEVER_STUCK
both  c-idle   -DFRESHNESS=2 -DPLANS=3 -DGUARD_IDLE
both  n-idle   -DCLEANUP=1 -DPLANS=3 -DGUARD_IDLE
deep  n-tree   -DCLEANUP=1 -DTREE_MESSAGES=2 -DPLANS=3 -DTREE_CHECK_IDLE
END

trails=("$MODEL_DIR"/*/*.trail)
if [[ ! -e ${trails[0]} ]]; then
  echo "not ok 1 - spin gives trails"
  exit 1
fi
exec scripts/replay-trail "${trails[@]}"
