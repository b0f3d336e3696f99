#!/bin/bash
# 100,000 logins and logouts in 10,000 rooms that come and go, each told of in callbacks: does
# memory grow? Options go to `odeum-bench churn`: --logins N, --json FILE.
# The server has core 0 for itself, the load the others.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/pinned.sh
exec "${load[@]}" churn "$@"
