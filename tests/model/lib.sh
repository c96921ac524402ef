# lib.sh - for the tests of the model: spin makes a verifier of dns.pml, the verifier searches; sourced.
#
# A search lives in a folder of its own, $MODEL_DIR/NAME: its flags, pan (the verifier), out (what it said), *.trail.
# It is exhaustive: no bitstate hashing, no bound of depth that is reached, at most 2 GB.
: "${O:=build}" "${MODEL_DIR:=$PWD/$O/model}" "${MODEL_TIMEOUT:=400}"
readonly MODEL=$PWD/tests/model/dns.pml MODEL_MB=2000 MODEL_DEPTH=200000

model_make() { # NAME "FLAGS OF SPIN" "FLAGS OF GCC": all output of a failure goes to the test's
  local dir=$MODEL_DIR/$1
  mkdir -p "$dir" && rm -f "$dir"/*.trail "$dir/out"
  echo "$2" >"$dir/flags"
  # shellcheck disable=SC2086 # flags are words
  (cd "$dir" && spin $2 -a "$MODEL" && gcc -w -O2 -DSAFETY -DMEMLIM=$MODEL_MB $3 pan.c -o pan) >"$dir/make" 2>&1 ||
    { sed 's/^/# /' "$dir/make"; return 1; }
}

model_states() { sed -n 's/^ *\([0-9e+.]*\) states, stored.*/\1/p' "$MODEL_DIR/$1/out"; }

# Prints what came of the search: holds, violated, or why it was none.
model_search() { # NAME FLAGS [FLAGS OF GCC, without which the states are compressed [FLAGS OF PAN]]
  local dir=$MODEL_DIR/$1
  model_make "$1" "$2" "${3:--DCOLLAPSE}" || { echo "no verifier"; return; }
  (cd "$dir" && timeout "$MODEL_TIMEOUT" ./pan -m$MODEL_DEPTH -w25 ${4:-} >out 2>&1)
  if grep -q 'assertion violated' "$dir/out"; then
    echo violated
  elif grep -q 'errors: 0$' "$dir/out" && ! grep -qE 'depth too small|reached -DMEMLIM|not completed' "$dir/out"; then
    echo holds
  else
    echo "no verdict: $(grep -oEm1 'max search depth too small|reached -DMEMLIM.*|pan:.*invalid end state.*' "$dir/out" || echo "not done in time")"
  fi
}
