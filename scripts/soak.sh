#!/bin/bash
# Peers that come and go for 20 minutes, or for SECONDS_LONG, on release builds: does the server
# grow?
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/needs.sh
need_rust
scripts/build.sh
exec bench/soak.sh --seconds "${SECONDS_LONG:-1200}"
