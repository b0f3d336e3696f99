#!/bin/bash
# The checks that run no test: format, lock file, house rules, generated references, clippy, whether
# the fuzz targets compile, licences.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/needs.sh
. scripts/report.sh
need_rust
need_component fmt rustfmt
need_component clippy clippy
[ -e sdk/dist/odeum.js ] || scripts/sdk.sh

lock_file() { cargo metadata --locked --format-version 1 >/dev/null; }

lint() {
  check format cargo fmt --all --check
  check lock-file lock_file
  check tidy cargo xtask tidy
  check references cargo xtask gen --check
  check clippy cargo clippy --quiet --workspace --all-targets -- -D warnings
  check fuzz-targets cargo check --quiet --locked --manifest-path fuzz/Cargo.toml \
    --target-dir target
  if command -v cargo-deny >/dev/null; then
    check dependencies cargo deny --log-level error check
    check fuzz-dependencies cargo deny --log-level error --manifest-path fuzz/Cargo.toml \
      --config deny.toml check
  fi
}

lint
# test.sh sources this file and goes on.
if [ "$0" = "${BASH_SOURCE[0]}" ]; then finish; fi
