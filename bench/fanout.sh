#!/bin/bash
# One publisher, 1 to 400 viewers: CPU time per packet beside its floor, loss, delay, memory.
# The server has core 0 for itself, the load the others. Options go to `odeum-bench fanout`.
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
exec "${first[@]}" taskset -c "1-$(($(nproc --all) - 1))" "$release/odeum-bench" fanout "$@"
