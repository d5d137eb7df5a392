#!/usr/bin/env bash
# Installs Python packages into an environment of their own, unless that was done for the same list: VENV REQUIREMENTS [PYTHON].
set -euo pipefail
venv="$1" requirements="$2" python="${3:-python3}"
if ! cmp -s "$requirements" "$venv/requirements.txt"; then
  "$python" -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$venv/requirements.txt"
fi
