#!/bin/bash
# Signed Server API calls on one core, one DeleteStream told to 1,000 WebSocket clients, and calls
# with callbacks beside calls without.
# The server has core 0 for itself, the load the others. `--json FOLDER` keeps the results there.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/pinned.sh
api=() notice=() callbacks=()
if [ "${1:-}" = --json ]; then
  api=(--json "$2/api.json") notice=(--json "$2/notice.json")
  callbacks=(--json "$2/callbacks.json")
fi
# A thousand sockets here and as many in the server.
ulimit -n 4096
"${load[@]}" api "${api[@]}"
"${load[@]}" notice "${notice[@]}"
"${load[@]}" callbacks "${callbacks[@]}"
