# Sourced: runs checks and test suites one after the other, keeps going when one fails, and closes
# with the sum. The full output of each is kept in target/test-logs/.

LOGS=target/test-logs
mkdir -p "$LOGS"
PASSED=0
FAILED=0
FAILURES=()

# check NAME COMMAND…: one thing that holds or does not.
check() {
  local name=$1
  shift
  echo "== $name"
  if "$@" 2>&1 | tee "$LOGS/$name.log"; then
    PASSED=$((PASSED + 1))
  else
    fail "$name" 1
  fi
}

# suite NAME COMMAND…: tests whose closing lines (cargo's or node's) are counted.
suite() {
  local name=$1 status=0 passed failed
  shift
  echo "== $name"
  "$@" 2>&1 | tee "$LOGS/$name.log" || status=$?
  read -r passed failed < <(count "$LOGS/$name.log")
  PASSED=$((PASSED + passed))
  if [ "$failed" -gt 0 ] || [ "$status" -ne 0 ]; then
    fail "$name" "$((failed > 0 ? failed : 1))"
  elif [ "$passed" -eq 0 ]; then
    echo "$name: no test ran"
    fail "$name" 1
  fi
}

# skips_at_most MAX NAME: a suite of node's that left out more is no proof. Each test that is
# skipped has a line, and a whole group that is, too, which node's own sum leaves out.
skips_at_most() {
  local max=$1 name=$2 skipped
  skipped=$(sed 's/\x1b\[[0-9;]*m//g' "$LOGS/$name.log" | grep -cE '^ *﹣ ' || true)
  if [ "$skipped" -gt "$max" ]; then
    echo "$name: $skipped were skipped, and no more than $max may be"
    fail "$name" 1
  fi
}

fail() {
  FAILURES+=("$1")
  FAILED=$((FAILED + $2))
}

# Sums "test result: ok. 3 passed; 1 failed" (cargo) and "# pass 3", "ℹ fail 1" (node).
count() {
  sed 's/\x1b\[[0-9;]*m//g' "$1" | awk '
    /^test result:/ { for (i = 2; i <= NF; i++) {
      if ($i ~ /^passed/) passed += $(i - 1)
      if ($i ~ /^failed/) failed += $(i - 1) } }
    /^(#|ℹ) pass [0-9]+$/ { passed += $3 }
    /^(#|ℹ) (fail|cancelled) [0-9]+$/ { failed += $3 }
    END { print passed + 0, failed + 0 }'
}

# Ends the script: the sum is the last line.
finish() {
  if [ ${#FAILURES[@]} -gt 0 ]; then
    echo "failed: ${FAILURES[*]} (output in $LOGS/)"
  fi
  echo "$PASSED passed, $FAILED failed"
  [ "$FAILED" -eq 0 ]
}
