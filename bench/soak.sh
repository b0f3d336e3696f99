#!/bin/bash
# Rooms with media that come and go for 20 minutes: do memory and descriptors grow, and is
# everybody forgotten in the end? Options go to `odeum-bench soak`: --seconds N, --rooms N,
# --json FILE. The server has core 0 for itself, the load the others.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/pinned.sh
exec "${beside[@]}" soak "$@"
