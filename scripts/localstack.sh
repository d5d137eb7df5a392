#!/usr/bin/env bash
# `make localstack`: an emulator of AWS with the stack of infra/ deployed to it, a server, a Lambda worker and a container worker, and a
# workflow through all of them. Needs no Docker and no account. Ctrl-C stops everything.
#
#   localstack.sh [--once] [--no-build]
#
#   --once       stops after the workflow: for tests
#   --no-build   takes the programs that are there
#
#   EMULATOR     ministack (default), or localstack: LocalStack 4.14, where Python 3.13 is (scripts/emulator.sh)
#   PORT         of the emulator, 4566 by default; 0 takes a free one
#   LISTEN       of the API, 127.0.0.1:7420 by default; port 0 takes a free one
#   DATABASE_URL a PostgreSQL database instead of SQLite in .runnel/localstack
set -euo pipefail
cd "$(dirname "$0")/.."

once=no
build=yes
for argument in "$@"; do
  case "$argument" in
    --once) once=yes ;;
    --no-build) build=no ;;
    *) sed -n '2,15s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done

programs="${PROGRAMS:-${CARGO_TARGET_DIR:-target}/debug}"
emulator="${EMULATOR:-ministack}"
port="${PORT:-4566}"
scratch="$(mktemp -d)"
data_dir=.runnel/localstack
if [ "$once" = yes ]; then
  data_dir="$scratch/data"
fi
pids=()

stop_all() {
  # the last started first: workers drain while their server still takes reports, and the server while there are queues
  local place
  for ((place = ${#pids[@]} - 1; place >= 0; place--)); do
    kill "${pids[place]}" 2>/dev/null || true
    wait "${pids[place]}" 2>/dev/null || true
  done
  rm -rf "$scratch"
}
trap stop_all EXIT
trap 'exit 130' INT TERM

# Ctrl-C goes to everything in this terminal; what is started here is stopped by this script alone, once and in order.
session=()
if command -v setsid >/dev/null; then
  session=(setsid)
fi

# Starts a program and waits for its first line that the pattern matches, which is left in $found.
start() {
  local name="$1" pattern="$2"
  shift 2
  "${session[@]}" "$@" > "$scratch/$name.log" 2>&1 < /dev/null &
  local pid=$!
  pids+=("$pid")
  found=""
  while [ -z "$found" ]; do
    if ! kill -0 "$pid" 2>/dev/null; then
      echo "$name did not start:" >&2
      tail -n 20 "$scratch/$name.log" >&2
      exit 1
    fi
    found="$(grep -m 1 -oE "$pattern" "$scratch/$name.log" || true)"
    [ -n "$found" ] || sleep 0.1
  done
}

if [ "$build" = yes ]; then
  echo "building runnel (the first time takes some minutes)"
  cargo build --quiet -p runnel-cli -p runnel-worker --bins
fi
bash scripts/install-python-tools.sh .tools/venv scripts/test-requirements.txt
if [ "$port" = 0 ]; then
  port="$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
fi
endpoint="http://127.0.0.1:$port"

echo "starting $emulator at $endpoint"
start emulator '^ready$' bash scripts/emulator.sh "$emulator" "$port"

stack() {
  .tools/venv/bin/python scripts/stack.py --endpoint "$endpoint" "$@"
}
output() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["outputs"][sys.argv[2]])' "$scratch/core.json" "$1"
}
echo "deploying infra/cloudformation/core.yaml"
# without what only a debugger reads it is carried about more quickly
cp "$programs/bootstrap" "$scratch/bootstrap"
strip "$scratch/bootstrap" 2>/dev/null || true
stack upload runnel-code worker.zip "$scratch/bootstrap" > /dev/null
stack deploy runnel-core infra/cloudformation/core.yaml \
  CodeBucket=runnel-code CodeKey=worker.zip HttpAllowPrivate=true "EndpointUrl=$endpoint" > "$scratch/core.json"

export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1
export RUNNEL_SQS_ENDPOINT="$endpoint" RUNNEL_PAYLOADS_ENDPOINT="$endpoint"
RUNNEL_QUEUE_PREFIX="$(output QueuePrefix)"
RUNNEL_PAYLOADS="$(output PayloadsPlace)"
export RUNNEL_QUEUE_PREFIX RUNNEL_PAYLOADS
containers="$(output ContainerQueue)"

mkdir -p "$data_dir"
# the queues of the last time are gone with the emulator; what was in them is sent again
database="${DATABASE_URL:-sqlite://$data_dir/runnel.db?mode=rwc}"
start server 'http://[^ ]+' "$programs/runnel" serve --listen "${LISTEN:-127.0.0.1:7420}" --database-url "$database" \
  --data-dir "$data_dir" --queue-names "$containers" --functions "$(output FunctionQueue)"
server="$found"
export RUNNEL_SERVER="$server"
start worker 'worker ready' "$programs/runnel" worker --queue-name "$containers" --worker-name container-1 --http-allow-private
start shops 'http://[^ ]+' python3 examples/etl/server.py --port 0
shops="$found"

echo "running infra/demo/workflow.yaml: list_shops, rates, sales and load in the function, totals and report in a container"
echo
status=0
"$programs/runnel" run infra/demo/workflow.yaml --input "source=$shops" --watch --timeout 5m || status=$?
echo
"$programs/runnel" show @last || true
if [ "$status" != 0 ]; then
  tail -n 20 "$scratch/server.log" "$scratch/worker.log" >&2
fi
if [ "$once" = yes ]; then
  exit "$status"
fi

cat <<END

Everything runs until Ctrl-C:
  $server/graphiql       the API, with documentation
  $server/metrics        metrics for Prometheus; infra/grafana/dashboard.json shows them
  $endpoint                 SQS, S3, Lambda, CloudFormation; any AWS tool with --endpoint-url and the keys test/test
  $scratch               logs

Again, from another terminal:
  export RUNNEL_SERVER=$server
  $programs/runnel run infra/demo/workflow.yaml --input source=$shops --watch
END
wait "${pids[0]}"
