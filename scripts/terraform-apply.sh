#!/usr/bin/env bash
# Validates infra/terraform, and with the address of an emulator applies it there and destroys it again. Needs no network.
#   terraform-apply.sh [ENDPOINT [NAME]]
set -euo pipefail
cd "$(dirname "$0")/.."

mirror="$PWD/.tools/terraform"
if ! command -v terraform >/dev/null; then
  echo "terraform is not installed: infra/terraform was not checked"
  exit 0
fi
if [ ! -d "$mirror/registry.terraform.io/hashicorp/aws" ]; then
  echo "Terraform's AWS provider is not in .tools (scripts/setup-tests.sh): infra/terraform was not checked"
  exit 0
fi

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
cat > "$scratch/terraformrc" <<END
provider_installation {
  filesystem_mirror { path = "$mirror" }
}
END
export TF_CLI_CONFIG_FILE="$scratch/terraformrc" TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1

# Its state and lock belong to this run alone.
mkdir "$scratch/infra"
cp -r infra/terraform infra/cloudformation "$scratch/infra/"
cd "$scratch/infra/terraform"
terraform fmt -check -recursive .
cd test
terraform init -input=false -no-color >/dev/null
terraform validate -no-color
if [ $# = 0 ]; then
  exit 0
fi
settings=(-input=false -no-color -auto-approve -var "endpoint=$1" -var "name=${2:-runnel}")
terraform apply "${settings[@]}"
terraform destroy "${settings[@]}" >/dev/null
echo "terraform: applied and destroyed"
