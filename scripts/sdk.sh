#!/bin/bash
# Builds sdk/dist/odeum.js, which the server carries inside.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/needs.sh
need_node
npm_install sdk
npm run --silent --prefix sdk build
