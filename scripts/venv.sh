#!/bin/bash
# venv.sh NAME…: installs what tests/NAME/requirements.txt lists into a Python of its own,
# target/NAME/, unless it is there.
set -euo pipefail
cd "$(dirname "$0")/.."
for name; do
  wanted=tests/$name/requirements.txt
  installed=target/$name/requirements.txt
  cmp -s "$wanted" "$installed" && continue
  echo "installing $name into target/$name/"
  mkdir -p target
  python3 -m venv --clear "target/$name"
  "target/$name/bin/python" -m pip install --quiet --disable-pip-version-check \
    --requirement "$wanted"
  cp "$wanted" "$installed"
done
