#!/usr/bin/env bash
# Builds the package of a Lambda function: target/lambda/NAME.zip with one executable file `bootstrap` in it (mode 0755).
#
#   scripts/build-lambda.sh                          the worker with the built-in task types: bootstrap.zip
#   scripts/build-lambda.sh PACKAGE BINARY           another program of the workspace, as runnel-example-worker example-worker
#
# TARGET=aarch64-unknown-linux-gnu builds for another machine, where its toolchain is installed. The runtime is provided.al2023, whose glibc is
# 2.34: a program that is built on a newer system may need a newer one, and the script says so.
set -euo pipefail
cd "$(dirname "$0")/.."

package="${1:-runnel-worker}"
binary="${2:-bootstrap}"
glibc_max=2.34
zip_bytes_max=$((15 * 1024 * 1024))

target_flags=()
directory="${CARGO_TARGET_DIR:-target}"
program="$directory/release/$binary"
if [ -n "${TARGET:-}" ]; then
  target_flags=(--target "$TARGET")
  program="$directory/$TARGET/release/$binary"
fi
if [ "${BUILD:-yes}" = yes ]; then
  cargo build --release -p "$package" --bin "$binary" "${target_flags[@]}"
fi
# PROGRAM packs what was built before, as the tests do
program="${PROGRAM:-$program}"

out="$directory/lambda"
mkdir -p "$out"
zip="$out/$binary.zip"
python3 - "$program" "$zip" <<'PYTHON'
import sys, zipfile

program, archive = sys.argv[1:]
entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))  # the same bytes give the same archive
entry.external_attr = 0o100755 << 16
entry.create_system = 3  # Unix: the mode counts
entry.compress_type = zipfile.ZIP_DEFLATED
with open(program, "rb") as file, zipfile.ZipFile(archive, "w", compresslevel=9) as package:
    package.writestr(entry, file.read(), compresslevel=9)
PYTHON

if command -v objdump >/dev/null; then
  newest="$(objdump -T "$program" 2>/dev/null | grep -oE 'GLIBC_[0-9.]+' | sed 's/GLIBC_//' | sort -uV | tail -1)"
  if [ -n "$newest" ] && [ "$(printf '%s\n%s\n' "$newest" "$glibc_max" | sort -V | tail -1)" != "$glibc_max" ]; then
    echo "warning: the program needs glibc $newest; provided.al2023 has $glibc_max" >&2
  fi
fi
bytes="$(stat -c %s "$zip")"
echo "$zip $bytes bytes"
if [ "$bytes" -gt "$zip_bytes_max" ]; then
  echo "the package has more than $zip_bytes_max bytes" >&2
  exit 1
fi
