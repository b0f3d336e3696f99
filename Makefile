# One line per task; the logic is in scripts/.
.PHONY: run build test lint format sim fuzz bench-fanout bench-api bench-users bench-churn bench-ways \
  bench-join soak docs
run: ; @scripts/run.sh
build: ; @scripts/build.sh
test: ; @scripts/test.sh
lint: ; @scripts/lint.sh
format: ; @scripts/format.sh
sim: ; @scripts/sim.sh
fuzz: ; @scripts/fuzz.sh
bench-fanout: ; @scripts/bench.sh fanout
bench-api: ; @scripts/bench.sh api
bench-users: ; @scripts/bench.sh users
bench-churn: ; @scripts/bench.sh churn
bench-ways: ; @scripts/bench.sh ways
bench-join: ; @scripts/bench.sh join
soak: ; @scripts/soak.sh
docs: ; @scripts/docs.sh
