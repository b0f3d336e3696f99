#!/bin/bash
# Join time in Chromium: from the loginRoom call to the first frame of a published stream.
# Options go to join.mjs: --joins N, --json FILE.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/needs.sh
need_rust
need_node
need chromium:chromium
[ -x target/release/odeum ] || scripts/build.sh
npm_install tests
exec node bench/join.mjs "$@"
