#!/bin/bash
# Runs each fuzz target for SECONDS_EACH (60 by default), or the targets named as arguments. A
# finding stays in fuzz/artifacts/ and ends the run.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/needs.sh
need_rust
if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
  echo "missing: rustup toolchain install nightly && cargo install cargo-fuzz --locked" >&2
  exit 1
fi
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list)
for target in "${targets[@]}"; do
  echo "== $target"
  # New inputs go into the first folder; seeds are only read.
  folders=("fuzz/corpus/$target")
  [ ! -d "fuzz/seeds/$target" ] || folders+=("fuzz/seeds/$target")
  mkdir -p "${folders[0]}"
  cargo +nightly fuzz run "$target" "${folders[@]}" -- \
    -max_total_time="${SECONDS_EACH:-60}" -max_len=16384 -print_final_stats=1
done
