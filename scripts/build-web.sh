#!/usr/bin/env bash
# Builds the pages that are bundled into the binary (GraphiQL). Quick when nothing has changed.
set -euo pipefail
cd "$(dirname "$0")/../web"

if [ ! -f package.json ]; then
  exit 0
fi
if ! command -v npm >/dev/null; then
  echo "npm is not installed: /graphiql will tell how to build it; everything else works" >&2
  exit 0
fi

# Everything that goes into the bundle, as one number.
inputs() {
  git ls-files -z --cached --others --exclude-standard . | xargs -0 cat | cksum
}

# Not in dist: everything there is bundled into the binary.
stamp=node_modules/.built-from
if [ -d dist ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(inputs)" ]; then
  exit 0
fi
echo "building the web pages" >&2
npm ci --no-audit --no-fund --loglevel=error
npm run --silent build
inputs > "$stamp"
