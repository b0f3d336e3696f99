#!/bin/bash
# Signed Server API calls on one core, one DeleteStream told to 1,000 WebSocket clients, and calls
# with callbacks beside calls without.
# The server has core 0 for itself, the load the others. `--json FOLDER` keeps the results there.
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
api=() notice=() callbacks=()
if [ "${1:-}" = --json ]; then
  api=(--json "$2/api.json") notice=(--json "$2/notice.json")
  callbacks=(--json "$2/callbacks.json")
fi
load=("${first[@]}" taskset -c "1-$(($(nproc --all) - 1))" "$release/odeum-bench")
# A thousand sockets here and as many in the server.
ulimit -n 4096
"${load[@]}" api "${api[@]}"
"${load[@]}" notice "${notice[@]}"
"${load[@]}" callbacks "${callbacks[@]}"
