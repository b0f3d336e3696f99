#!/bin/bash
# Simulates rooms, clients, a bad network, the control plane around them (store, callbacks,
# crashes) and the media plane on bad networks (docs/concepts/bad-networks.md) from many seeds,
# others each time: sim.sh [COUNT [FROM]]. A failure prints its seed; sim.sh 1 SEED repeats it.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/needs.sh
need_rust
count=${1:-2000}
from=${2:-$(date +%s)}
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
echo "seeds $from to $((from + count - 1)), commit $commit"
export ODEUM_SEEDS="$from..$((from + count))"
cargo test --release --package odeum-room --test room -- rooms_hold_their_invariants --nocapture
cargo test --release --package odeum-callback --test simulation -- nothing_acknowledged --nocapture
# Half a minute of media for each of a dozen networks: fewer seeds, a line of results for each.
export ODEUM_SEEDS="$from..$((from + (count + 99) / 100))"
cargo test --release --package odeum-client --test bad_network -- --nocapture
