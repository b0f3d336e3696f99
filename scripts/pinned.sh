# Sourced by the measurements of bench/, from the root of the project: builds what is missing and
# gives two commands that run odeum-bench on the cores that the server, on core 0, leaves, and one
# that runs `odeum bench`, which leaves that core by itself.
. scripts/needs.sh
need_rust
need taskset:util-linux
release=${CARGO_TARGET_DIR:-target}/release
[ -x "$release/odeum" ] || scripts/build.sh
cargo build --quiet --release --package odeum-bench
# Beside what else the machine does: for what takes long.
beside=(taskset -c "1-$(($(nproc --all) - 1))" "$release/odeum-bench")
# Before it, where one may (nice does not reach across login sessions): for what is timed.
load=("${beside[@]}")
media=("$release/odeum" bench)
if chrt -r 1 true 2>/dev/null; then
  load=(chrt -r 1 "${load[@]}") media=(chrt -r 1 "${media[@]}")
fi
