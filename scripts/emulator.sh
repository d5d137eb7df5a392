#!/usr/bin/env bash
# Runs an emulator of AWS in the foreground, without Docker, and prints `ready` once it answers.
#   emulator.sh ministack|localstack PORT
#   emulator.sh install-localstack            only installs it, where there is a Python for it
#
# ministack runs Lambda functions as processes of this machine. LocalStack 4.14 is the last without an account; it runs from its Python
# package, in an environment of Python 3.13, and gets what runs functions without Docker from scripts/localstack.
set -euo pipefail
cd "$(dirname "$0")/.."
emulator="$1" port="${2:-4566}"

python_of_localstack() {
  local candidate
  for candidate in python3 python3.13 "$HOME"/.pyenv/versions/3.13.*/bin/python; do
    # it imports what 3.12 does not have, and the packages that are pinned are not for 3.14
    if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

# Into an environment of its own.
install_localstack() {
  bash scripts/install-python-tools.sh .tools/localstack scripts/localstack/requirements.txt "$1"
}

no_python="LocalStack needs Python 3.13, which is not found here"

case "$emulator" in
  install-localstack)
    if python="$(python_of_localstack)"; then install_localstack "$python"; else echo "$no_python: tests with it are left out"; fi
    exit 0
    ;;
  ministack)
    health=_ministack/health
    export GATEWAY_PORT="$port" BIND_HOST=127.0.0.1 MINISTACK_HOST=127.0.0.1 LOG_LEVEL=WARNING
    command=(.tools/venv/bin/ministack)
    ;;
  localstack)
    health=_localstack/health
    python="$(python_of_localstack)" || { echo "$no_python; EMULATOR=ministack needs 3.11" >&2; exit 1; }
    install_localstack "$python"
    # the command of the package would look for Docker; queue addresses must name this port
    export GATEWAY_LISTEN="127.0.0.1:$port" LOCALSTACK_HOST="127.0.0.1:$port" SQS_ENDPOINT_STRATEGY=off
    export DISABLE_EVENTS=1 SKIP_SSL_CERT_DOWNLOAD=1 LS_LOG=warning
    export LAMBDA_RUNTIME_EXECUTOR=process LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC=0.1
    command=(.tools/localstack/bin/python -m localstack.runtime.main)
    ;;
  *)
    echo "there is no emulator $emulator: ministack or localstack" >&2
    exit 2
    ;;
esac

"${command[@]}" &
pid=$!
trap 'kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null || true' EXIT
trap 'exit 0' INT TERM
until python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=2)' "http://127.0.0.1:$port/$health" 2>/dev/null; do
  kill -0 "$pid" 2>/dev/null || { wait "$pid"; exit 1; }
  sleep 0.2
done
echo ready
wait "$pid"
