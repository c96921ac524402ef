# tally.sh - runs tests, shows them as they end and adds up their counts; sourced.
#
# A test program prints TAP: "ok N - text", "not ok N - text", "ok N - text # SKIP reason". One that exits with 77
# before any result is skipped whole; one that dies, exceeds its time or prints no result counts as one failure.
passed=0 failed=0 skipped=0
failures=() # the names of what failed
: "${TEST_TIMEOUT:=600}" # seconds, for one program
tally_child=

tally_interrupted() {
  [[ -z $tally_child ]] || kill -TERM "$tally_child" 2>/dev/null
  wait "$tally_child" 2>/dev/null
  exit 130
}
trap tally_interrupted INT TERM

# Runs a command in the background, so that Ctrl-C ends it at once; timeout passes the end on to all that it started.
# The shell has background commands ignore SIGINT, and a test that sends it would wonder.
tally_run() { # OUTPUT-FILE COMMAND...
  local out=$1 status=0
  shift
  env --default-signal=INT,QUIT timeout --kill-after=20 "$TEST_TIMEOUT" "$@" >"$out" 2>&1 </dev/null &
  tally_child=$!
  wait "$tally_child" || status=$?
  tally_child=
  return $status
}

tally_add() { # PASSED FAILED SKIPPED
  passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

tally_failed() { # NAME: it failed as one test
  tally_add 0 1 0
  failures+=("$1")
}

how_it_ended() { # STATUS
  case $1 in
  0) echo "ended without a result" ;;
  124) echo "did not end within $TEST_TIMEOUT s" ;;
  *) (($1 > 128)) && echo "died of signal $(($1 - 128))" || echo "ended with status $1" ;;
  esac
}

# A program that prints TAP.
tally_program() { # NAME COMMAND...
  local name=$1 out status=0 start=$SECONDS ok not_ok skip died=
  shift
  out=$(mktemp)
  printf '%-52s ' "$name"
  CMOCKA_MESSAGE_OUTPUT=TAP tally_run "$out" "$@" || status=$?
  skip=$(grep -ciE '^ok [0-9]+.*# skip|^1\.\.0 # skip' "$out") || true
  ok=$(($(grep -cE '^ok [0-9]+' "$out") - $(grep -ciE '^ok [0-9]+.*# skip' "$out"))) || true
  not_ok=$(grep -cE '^not ok [0-9]+' "$out") || true
  ((status != 77 || ok + not_ok + skip > 0)) || skip=1 status=0 # as automake has it
  ((not_ok > 0 || (status == 0 && ok + skip > 0))) || not_ok=1 died=yes
  tally_add "$ok" "$not_ok" "$skip"
  printf '%4d passed %3d failed %3d skipped %4d s\n' "$ok" "$not_ok" "$skip" $((SECONDS - start))
  grep -iE '# skip' "$out" | sed 's/^/    /' || true
  if ((not_ok)); then
    failures+=("$name")
    [[ -z $died ]] || echo "    not ok - $name $(how_it_ended $status)"
    sed 's/^/    /' "$out" >&2
  fi
  rm -f "$out"
}

# A command that is one test by itself: it passes if it exits with 0.
tally_check() { # NAME COMMAND...
  local name=$1 out status=0 start=$SECONDS
  shift
  out=$(mktemp)
  printf '%-52s ' "$name"
  tally_run "$out" "$@" || status=$?
  if ((status == 0)); then
    tally_add 1 0 0
    printf 'passed %*d s\n' 32 $((SECONDS - start))
  else
    tally_failed "$name"
    printf 'FAILED %*d s\n' 32 $((SECONDS - start))
    echo "    not ok - $name $(how_it_ended $status)"
    sed 's/^/    /' "$out" >&2
  fi
  rm -f "$out"
}

# What failed, by name, and the closing line. In CI a skipped test is a failure: what it would have shown has not been shown.
tally_close() {
  local bad=$failed
  if [[ ${CI:-} == true ]] && ((skipped)); then
    echo "in CI a skipped test counts as a failure"
    bad=$((bad + skipped))
  fi
  ((${#failures[@]} == 0)) || printf 'failed: %s\n' "${failures[@]}"
  echo "$passed passed, $failed failed, $skipped skipped"
  ((bad == 0))
}
