#!/bin/bash
# Installs aiortc, the independent WebRTC stack of the tests, into target/aiortc/ unless it is there.
set -euo pipefail
cd "$(dirname "$0")/.."
VERSION=1.16.0
PYTHON=target/aiortc/bin/python
if [ -x $PYTHON ] && $PYTHON -c "import aiortc; assert aiortc.__version__ == '$VERSION'" 2>/dev/null
then
  exit 0
fi
echo "installing aiortc $VERSION into target/aiortc/"
mkdir -p target
python3 -m venv --clear target/aiortc
$PYTHON -m pip install --quiet --disable-pip-version-check "aiortc==$VERSION"
