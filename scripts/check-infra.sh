#!/usr/bin/env bash
# Checks infra/ with the linters, scanners and schemas of others. Needs no network, and what scripts/setup-tests.sh installs.
#   check-infra.sh [cloudformation|container|helm|monitoring|terraform|ci ...]     all of them without a name
# A program that this machine does not have is named, and what it checks is left out.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=.tools/venv/bin
kubernetes=1.33
chart=infra/helm/runnel

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

has() {
  [ -x "$1" ] && return 0
  echo "$1 is not installed (scripts/setup-tests.sh): $2 was not checked"
  return 1
}

check_cloudformation() {
  "$tools/cfn-lint" infra/cloudformation/*.yaml
  # reasons of what is skipped stand in the templates, next to what they are about
  .tools/scan/bin/checkov --framework cloudformation --compact --quiet --skip-download -d infra/cloudformation
  local file
  for file in infra/cloudformation/*.yaml; do
    # CloudFormation takes no larger one without a bucket between
    [ "$(wc -c < "$file")" -le 51200 ] || { echo "$file is larger than 51200 bytes" >&2; return 1; }
  done
}

check_container() {
  "$tools/hadolint" infra/container/Containerfile
  "$tools/check-jsonschema" --builtin-schema vendor.compose-spec infra/compose.yaml
  bash -n infra/container/localstack-ready.sh
}

check_helm() {
  has .tools/bin/helm "the chart" || return 0
  local values rendered
  for values in $chart/values.yaml $chart/ci/*-values.yaml; do
    .tools/bin/helm lint --strict --quiet "$chart" -f "$values"
    rendered="$scratch/$(basename "$values")"
    .tools/bin/helm template runnel "$chart" --namespace runnel -f "$values" > "$rendered"
    "$tools/kubernetes-validate" --strict -k "$kubernetes" "$rendered"
  done
  # what would scale by a queue without an address must not be installed
  if .tools/bin/helm template runnel "$chart" --set workerDefaults.autoscaling.kind=keda >/dev/null 2>&1; then
    echo "the chart takes keda without the address of the queue" >&2
    return 1
  fi
}

check_monitoring() {
  python3 infra/grafana/generate.py --check
  if has .tools/bin/promtool "the syntax of alerts and queries"; then
    .tools/bin/promtool check rules infra/prometheus/alerts.yaml
    .tools/bin/promtool check config --syntax-only infra/prometheus/prometheus.yml
    .tools/bin/promtool test rules infra/prometheus/alerts_test.yaml
    "$tools/python" scripts/check-monitoring.py .tools/bin/promtool
  else
    "$tools/python" scripts/check-monitoring.py
  fi
}

check_terraform() {
  bash scripts/terraform-apply.sh
}

check_ci() {
  "$tools/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml
}

for part in "${@:-cloudformation container helm monitoring terraform ci}"; do
  for each in $part; do
    echo "checking $each"
    "check_$each"
  done
done
