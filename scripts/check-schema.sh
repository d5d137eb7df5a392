#!/usr/bin/env bash
# The committed schema must be the one that the code has, and what a release had must still be there or be named in BREAKING.md.
# `check-schema.sh release` writes the list of the release instead: with each release, once.
set -euo pipefail
cd "$(dirname "$0")/.."

current="$(mktemp)"
members="$(mktemp)"
trap 'rm -f "$current" "$members"' EXIT
cargo run --quiet -p runnel-cli -- schema graphql > "$current"
cargo run --quiet -p runnel-cli -- schema members > "$members"
if [ "${1:-}" = release ]; then
  cp "$members" schema.released.txt
  exit 0
fi
if ! diff -u schema.graphql "$current"; then
  echo "schema.graphql is out of date: cargo run -p runnel-cli -- schema graphql > schema.graphql" >&2
  exit 1
fi
status=0
while read -r name _; do
  if ! grep -qF "\`$name\`" BREAKING.md; then
    echo "$name is gone or has another type since the last release: name it in BREAKING.md" >&2
    status=1
  fi
done < <(LC_ALL=C comm -23 <(LC_ALL=C sort schema.released.txt) <(LC_ALL=C sort "$members"))
exit "$status"
