#!/usr/bin/env bash
# `make demo`: starts the example's shop server and Runnel, runs examples/etl to its end, and stops both.
set -euo pipefail
cd "$(dirname "$0")/.."

runnel="${CARGO_TARGET_DIR:-target}/debug/runnel"
scratch="$(mktemp -d)"
pids=()

stop_all() {
  for pid in "${pids[@]}"; do
    kill "$pid" 2>/dev/null || true
  done
  for pid in "${pids[@]}"; do
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$scratch"
}
trap stop_all EXIT

# Starts a program and waits for the address on the first line that it prints; the address is left in $address.
start() {
  local name="$1"
  shift
  "$@" > "$scratch/$name.out" 2> "$scratch/$name.err" &
  local pid=$!
  pids+=("$pid")
  address=""
  while [ -z "$address" ]; do
    if ! kill -0 "$pid" 2>/dev/null; then
      echo "$name did not start:" >&2
      cat "$scratch/$name.err" >&2
      return 1
    fi
    address="$(head -n 1 "$scratch/$name.out" | grep -oE 'http://[^ ]+' || true)"
    [ -n "$address" ] || sleep 0.05
  done
}

echo "building runnel (the first time takes some minutes)"
cargo build --quiet -p runnel-cli

start shops python3 examples/etl/server.py --port 0
shops="$address"
echo "shop server at $shops"

# The run is kept where `make dev` finds it, unless a server is using that directory now.
data_dir=.runnel
if ! start runnel "$runnel" dev --listen 127.0.0.1:0 --data-dir "$data_dir" 2>/dev/null; then
  data_dir="$scratch/data"
  start runnel "$runnel" dev --listen 127.0.0.1:0 --data-dir "$data_dir"
fi
server="$address"
head -n 1 "$scratch/runnel.out"
echo

export RUNNEL_SERVER="$server"
status=0
"$runnel" run examples/etl/workflow.yaml --input "source=$shops" --watch --timeout 5m || status=$?
echo
"$runnel" show @last

if [ "$status" = 0 ]; then
  cat <<END

This run used $server, which stops now. Its history is kept in $data_dir.
Explore it:
  make dev                          the server again, with its dashboard on http://127.0.0.1:7420
  http://127.0.0.1:7420/graphiql    its GraphQL API, with documentation
  $runnel runs           list runs
  $runnel show @last     the tasks of the last one
  $runnel logs @last     what they printed
  $runnel run examples/hello/workflow.yaml --input name=you --watch
END
fi
exit "$status"
