#!/bin/bash
# One publisher, 1 to 400 viewers: CPU time per packet beside its floor, loss, delay, memory.
# The server has core 0 for itself, the load the others. Options go to `odeum-bench fanout`.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/pinned.sh
exec "${load[@]}" fanout "$@"
