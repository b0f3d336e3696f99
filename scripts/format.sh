#!/bin/bash
# Formats Rust code, and wraps its comments at the width of the code. Wrapping them is not stable in
# rustfmt yet, hence the switch; cargo fmt --check agrees with the result.
set -euo pipefail
cd "$(dirname "$0")/.."
RUSTC_BOOTSTRAP=1 cargo fmt --all -- --config wrap_comments=true,comment_width=100
