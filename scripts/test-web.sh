#!/usr/bin/env bash
# Unit tests of the dashboard. Its tests in a browser are tests/external/dashboard.mjs, run with the other suites.
set -euo pipefail
cd "$(dirname "$0")/../web"
if ! command -v npm >/dev/null; then
  echo "npm is not installed: the dashboard was not tested" >&2
  exit 1
fi
npm run --silent test
