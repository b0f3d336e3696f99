#!/bin/bash
# 100,000 logins and logouts in 10,000 rooms that come and go, each told of in callbacks: does
# memory grow? Options go to `odeum-bench churn`: --logins N, --json FILE.
# The server has core 0 for itself, the load the others.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/needs.sh
need_rust
need taskset:util-linux
release=${CARGO_TARGET_DIR:-target}/release
[ -x "$release/odeum" ] || scripts/build.sh
cargo build --quiet --release --package odeum-bench
# Before what else the machine does, where one may (nice does not reach across login sessions).
first=()
chrt -r 1 true 2>/dev/null && first=(chrt -r 1)
exec "${first[@]}" taskset -c "1-$(($(nproc --all) - 1))" "$release/odeum-bench" churn "$@"
