#!/bin/bash
# Every test there is: lints, Rust, SDK, and real browsers against the built server. Installs what
# is missing. The browser tests find the server in ODEUM_BINARY (a debug build: it is there
# already), Chromium in ODEUM_CHROMIUM and a Python with aiortc in ODEUM_PYTHON.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/needs.sh

need_rust
need_node
need chromium:chromium openssl:openssl python3:python3 venv:python3-venv
scripts/sdk.sh
npm_install tests
scripts/aiortc.sh

. scripts/lint.sh

suite rust cargo test --workspace --no-fail-fast
check server cargo build --quiet --workspace --bin odeum
suite sdk npm test --prefix sdk

export ODEUM_BINARY="$PWD/target/debug/odeum"
export ODEUM_CHROMIUM="${ODEUM_CHROMIUM:-$(command -v chromium)}"
export ODEUM_PYTHON="$PWD/target/aiortc/bin/python"
suite browsers npm test --prefix tests

finish
