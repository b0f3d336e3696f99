#!/bin/bash
# Leaves the server at target/release/odeum.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/needs.sh
need_rust
scripts/sdk.sh
cargo build --release --package odeum-server
