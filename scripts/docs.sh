#!/bin/bash
# Writes the generated references of docs/reference/ and the crates' own pages to target/doc/.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/needs.sh
need_rust
[ -e sdk/dist/odeum.js ] || scripts/sdk.sh
cargo xtask gen
cargo doc --workspace --no-deps
