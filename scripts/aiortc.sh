#!/bin/bash
# Installs aiortc, the independent WebRTC stack of the tests, into target/aiortc/, unless it is
# there.
set -euo pipefail
cd "$(dirname "$0")/.."
WANTED=tests/aiortc/requirements.txt
INSTALLED=target/aiortc/requirements.txt
cmp -s $WANTED $INSTALLED && exit
echo "installing aiortc into target/aiortc/"
mkdir -p target
python3 -m venv --clear target/aiortc
target/aiortc/bin/python -m pip install --quiet --disable-pip-version-check --requirement $WANTED
cp $WANTED $INSTALLED
