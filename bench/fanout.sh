#!/bin/bash
# One publisher, 1 to 400 viewers: CPU time per packet beside its floor, loss, delay, memory.
# Options go to `odeum bench fanout`.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/pinned.sh
exec "${media[@]}" fanout "$@"
