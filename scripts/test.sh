#!/bin/bash
# Every test there is: lints, Rust, SDK, and real browsers against the built server. Installs what
# is missing. The browser tests find the server in ODEUM_BINARY (a debug build: it is there
# already), Chromium in ODEUM_CHROMIUM; what they need of Python they find in target/.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/needs.sh

need_rust
need_node
need chromium:chromium openssl:openssl python3:python3 venv:python3-venv
scripts/sdk.sh
npm_install tests
scripts/venv.sh aiortc schemathesis

. scripts/lint.sh

suite rust cargo test --workspace --no-fail-fast
check server cargo build --quiet --workspace --bin odeum
suite sdk npm test --prefix sdk

export ODEUM_BINARY="$PWD/target/debug/odeum"
export ODEUM_CHROMIUM="${ODEUM_CHROMIUM:-$(command -v chromium)}"
suite browsers npm test --prefix tests

finish
