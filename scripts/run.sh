#!/bin/bash
# Installs what is missing, builds, and serves on loopback with a page to try it on.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh
exec target/release/odeum serve --dev "$@"
