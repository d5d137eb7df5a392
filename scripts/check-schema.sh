#!/usr/bin/env bash
# The committed schema must be the one that the code has.
set -euo pipefail
cd "$(dirname "$0")/.."

current="$(mktemp)"
trap 'rm -f "$current"' EXIT
cargo run --quiet -p runnel-cli -- schema graphql > "$current"
if ! diff -u schema.graphql "$current"; then
  echo "schema.graphql is out of date: cargo run -p runnel-cli -- schema graphql > schema.graphql" >&2
  exit 1
fi
