#!/bin/bash
# The four shapes of load on one core each, with JSON and pictures: one publisher with many viewers,
# rooms of eight, an audio room of ten speakers, and video packets that come one by one, without
# lingering and with it; then one media worker beside two. Results and pictures go to the folder
# that is the argument.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/pinned.sh
folder=${1:?usage: bench/media.sh FOLDER}
mkdir -p "$folder"
keep() { kept=(--json "$folder/$1.json" --svg "$folder/$1.svg"); }
keep fanout
"${media[@]}" fanout --viewers 1,50,200,400,800,1000 --windows 6 "${kept[@]}"
keep rooms
"${media[@]}" rooms --rooms 5,10,20,30 --windows 6 "${kept[@]}"
keep audio
"${media[@]}" audio --listeners 50,100,200,300,400 --windows 6 "${kept[@]}"
for linger in 0 1 2 4; do
  keep "paced-linger-$linger"
  "${media[@]}" fanout --viewers 200 --windows 6 --sending paced --linger-ms "$linger" "${kept[@]}"
done
for workers in 1 2; do
  keep "workers-$workers"
  "${media[@]}" fanout --viewers 200 --windows 6 --workers "$workers" \
    --room-peers-per-worker 100 "${kept[@]}"
done
