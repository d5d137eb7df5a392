#!/bin/sh
# Schemathesis against the GraphQL API. usage: schemathesis.sh <server url>; exit 0 = no server error found.
# Uses the program $RUNNEL_TEST_SCHEMATHESIS, else one in .venv beside this script, made when it is missing.
set -eu
server=${1:?usage: schemathesis.sh <server url>}
here=$(cd "$(dirname "$0")" && pwd)
program=${RUNNEL_TEST_SCHEMATHESIS:-$here/.venv/bin/schemathesis}
if [ ! -x "$program" ]; then
  python3 -m venv "$here/.venv"
  "$here/.venv/bin/pip" install --quiet --disable-pip-version-check schemathesis==4.32.5
  program=$here/.venv/bin/schemathesis
fi
# it leaves a database of examples where it runs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export PYTHONPATH="$here" PYTHONDONTWRITEBYTECODE=1 SCHEMATHESIS_HOOKS=schemathesis_hooks
"$program" run "${server%/}/graphql" -c not_a_server_error --max-time "${SCHEMATHESIS_SECONDS:-60}" --seed 1
