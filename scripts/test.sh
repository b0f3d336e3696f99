#!/bin/bash
# Every test there is: lints, Rust, SDK, and real browsers against the built server. Installs what
# is missing. The browser tests find the server in ODEUM_BINARY (a debug build: it is there
# already), Chromium in ODEUM_CHROMIUM, Firefox in ODEUM_FIREFOX; what they need of Python they find
# in target/. More of them skipped than a few is a failure; ODEUM_SKIPS_MAX is how many may be where
# a machine lacks what some need.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/needs.sh

need_rust
need_node
need chromium:chromium firefox-esr:firefox-esr openssl:openssl python3:python3 venv:python3-venv
# A TURN server for the browser tests, and networks of their own.
need turnserver:coturn ip:iproute2
# GStreamer, a peer of the browser tests: webrtcbin and its ICE, encoders, decoders, its Python.
need gstwebrtc.so:gstreamer1.0-plugins-bad gstnice.so:gstreamer1.0-nice \
  gstx264.so:gstreamer1.0-plugins-ugly gstrtp.so:gstreamer1.0-plugins-good \
  gstopus.so:gstreamer1.0-plugins-base gstlibav.so:gstreamer1.0-libav \
  python-gst:python3-gst-1.0 GstWebRTC-1.0.typelib:gir1.2-gst-plugins-bad-1.0
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
# Two always are; one or two more where the machine was too busy to judge pictures.
skips_at_most "${ODEUM_SKIPS_MAX:-4}" browsers

finish
