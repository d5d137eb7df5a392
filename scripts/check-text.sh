#!/usr/bin/env bash
# Rules about the text of the sources that no compiler checks.
set -euo pipefail
cd "$(dirname "$0")/.."

# More lines than this in one file and nobody reads it any more.
lines_max=800
failed=no

fail() {
  echo "$1" >&2
  failed=yes
}

sources() {
  git ls-files --cached --others --exclude-standard -- '*.rs' '*.ts' '*.tsx' '*.mjs' '*.py' '*.sh' Makefile .ci/run | grep -vE '^(scripts/check-text.sh|web/src/gql/.*)$'
}

while read -r file; do
  [ -f "$file" ] || continue
  count="$(wc -l < "$file")"
  [ "$count" -le "$lines_max" ] || fail "$file has $count lines; the limit is $lines_max"
done < <(sources)

# the words are broken up so that this line does not find itself
if sources | xargs grep -nE '\b(TO''DO|FIX''ME|X''XX)\b|\b(to''do|unimplement''ed|d''bg)!'; then
  fail "unfinished work is tracked as issues, not in the code"
fi

if git ls-files --cached --others --exclude-standard | grep -vE '(^|/)(package-lock.json|Cargo.lock|check-text.sh)$' |
  xargs grep -nIE '(^|[^A-Za-z0-9_.])/(home|root|Users|work)/[a-z]'; then
  fail "paths of one machine do not belong here"
fi

while read -r script; do
  bash -n "$script" || fail "$script is not valid bash"
done < <(git ls-files --cached --others --exclude-standard -- '*.sh' .ci/run)

[ "$failed" = no ]
