#!/bin/sh
# Schemathesis against the GraphQL API. usage: schemathesis.sh <server url>; exit 0 = no server error found.
# Uses `st` of $SCHEMATHESIS_VENV (default: .venv beside this script), which it makes when it is missing.
set -eu
server=${1:?usage: schemathesis.sh <server url>}
here=$(cd "$(dirname "$0")" && pwd)
venv=${SCHEMATHESIS_VENV:-$here/.venv}
if [ ! -x "$venv/bin/st" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check schemathesis==4.32.5
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
status=0
"$venv/bin/st" run "${server%/}/graphql" -c not_a_server_error --max-time "${SCHEMATHESIS_SECONDS:-60}" --seed 1 || status=$?
exit "$status"
