#!/bin/bash
# What a packet costs the server over its own TURN relay and over TCP, beside UDP: viewers of one
# stream each way, in turn. Options go to `odeum-bench ways`.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/pinned.sh
exec "${load[@]}" ways "$@"
