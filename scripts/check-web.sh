#!/usr/bin/env bash
# The sources of the dashboard: types hold, and those of the schema and of the operations are current.
set -euo pipefail
cd "$(dirname "$0")/../web"

if ! command -v npm >/dev/null; then
  echo "npm is not installed: the dashboard was not checked" >&2
  exit 0
fi
if [ ! -d node_modules ]; then
  npm ci --no-audit --no-fund --loglevel=error
fi

npm run --silent check

# code generation writes over the files in place: what was there is compared, and put back when it was current
before="$(mktemp -d)"
trap 'rm -rf "$before"' EXIT
cp -r src/gql "$before/"
npm run --silent codegen >/dev/null
if ! diff -r "$before/gql" src/gql >/dev/null; then
  echo "web/src/gql was not current: it is now; commit it (npm run codegen)" >&2
  exit 1
fi
