#!/usr/bin/env bash
# Installs what `make test` needs beside Rust: PostgreSQL, Chromium, the AWS emulator, checks of infra/, and the suites of others.
# Does nothing that is done already.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()

has_postgres() {
  command -v initdb >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null
}

has_chromium() {
  command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null
}

apt_updated=no
install_package() {
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    missing+=("$1")
    return
  fi
  if [ "$apt_updated" = no ]; then
    apt-get update -qq
    apt_updated=yes
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null
}

has_postgres || install_package postgresql
has_chromium || install_package chromium
command -v node >/dev/null || missing+=("node 20 or newer, with npm")
command -v python3 >/dev/null || missing+=("python 3.11 or newer")

if [ "${#missing[@]}" != 0 ]; then
  echo "the tests need what is not installed here:" >&2
  printf '  %s\n' "${missing[@]}" >&2
  exit 1
fi

# npm writes the lock it has installed into node_modules: equal ages mean that nothing is left to do.
install_node_modules() {
  if [ -f "$1/package-lock.json" ] && [ ! "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ]; then
    (cd "$1" && npm ci --no-audit --no-fund --loglevel=error)
  fi
}
install_node_modules web
install_node_modules tests/external

# What clashes with the emulator's dependencies has an environment of its own.
bash scripts/install-python-tools.sh .tools/venv scripts/test-requirements.txt
bash scripts/install-python-tools.sh .tools/scan scripts/scan-requirements.txt

bash scripts/setup-infra.sh
