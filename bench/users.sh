#!/bin/bash
# 20,000 logged-in WebSocket users, or as many as files may be open: logins, memory of an idle user,
# a broadcast to 5,000 of them in one room. Options go to `odeum-bench users`: --users N,
# --json FILE.
# The server has core 0 for itself, the load the others.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/pinned.sh
# A descriptor for each user, here and in the server, which takes what the hard limit gives it.
ulimit -n 20200 2>/dev/null || ulimit -n "$(ulimit -Hn)"
exec "${load[@]}" users "$@"
