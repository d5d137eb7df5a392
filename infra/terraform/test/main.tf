# The module against an emulator of AWS: `terraform apply -var endpoint=http://127.0.0.1:4566`.

variable "endpoint" {
  type = string
}

variable "name" {
  type    = string
  default = "runnel"
}

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  endpoints {
    cloudformation = var.endpoint
    # the provider looks at the account first
    ec2 = var.endpoint
  }
}

module "runnel" {
  source       = "../"
  name         = var.name
  endpoint_url = var.endpoint
  core         = { QueuePrefix = "${var.name}-", OldestTaskSeconds = 300 }
}

output "core" {
  value = module.runnel.core
}
