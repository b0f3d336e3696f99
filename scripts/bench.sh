#!/bin/bash
# Runs one measurement, bench/NAME.sh, on release builds: fanout, media, api, users, churn, ways
# or join.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/needs.sh
need_rust
if [ $# -ne 1 ] || [ ! -x "bench/$1.sh" ]; then
  echo "usage: scripts/bench.sh NAME, where bench/NAME.sh is one of: $(cd bench && echo ./*.sh)" >&2
  exit 2
fi
scripts/build.sh
exec "bench/$1.sh"
