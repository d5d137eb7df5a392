# Deploys the templates of infra/cloudformation as they are: what is tested there is what is deployed here.

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 3.39"
    }
  }
}

locals {
  templates = "${path.module}/../cloudformation"
  # CloudFormation's parameters are text
  core     = { for name, value in var.core : name => tostring(value) }
  platform = { for name, value in(var.platform == null ? {} : var.platform) : name => tostring(value) }
  shared = merge(
    var.kms_key_arn == "" ? {} : { KmsKeyArn = var.kms_key_arn },
    var.endpoint_url == "" ? {} : { EndpointUrl = var.endpoint_url },
  )
  alarms      = var.alarm_topic_arn == "" ? {} : { AlarmTopicArn = var.alarm_topic_arn }
  has_network = var.platform != null && var.vpc == null
  vpc = var.vpc != null ? var.vpc : {
    id              = join("", aws_cloudformation_stack.network[*].outputs.VpcId)
    public_subnets  = split(",", join("", aws_cloudformation_stack.network[*].outputs.PublicSubnetIds))
    private_subnets = split(",", join("", aws_cloudformation_stack.network[*].outputs.PrivateSubnetIds))
  }
}

# Queues, bucket, Lambda worker, alarms.
resource "aws_cloudformation_stack" "core" {
  name          = "${var.name}-core"
  template_body = file("${local.templates}/core.yaml")
  capabilities  = ["CAPABILITY_IAM"]
  parameters    = merge(local.shared, local.alarms, { Size = var.size }, local.core)
  tags          = var.tags
}

# Left out where there is a network already.
resource "aws_cloudformation_stack" "network" {
  count         = local.has_network ? 1 : 0
  name          = "${var.name}-network"
  template_body = file("${local.templates}/network.yaml")
  capabilities  = ["CAPABILITY_IAM"]
  parameters    = local.shared
  tags          = var.tags
}

# Database, servers, container workers. Left out for servers that run elsewhere.
resource "aws_cloudformation_stack" "platform" {
  count         = var.platform == null ? 0 : 1
  name          = "${var.name}-platform"
  template_body = file("${local.templates}/platform.yaml")
  capabilities  = ["CAPABILITY_IAM"]
  parameters = merge(local.shared, local.alarms, {
    Size             = var.size
    CoreStackName    = aws_cloudformation_stack.core.name
    VpcId            = local.vpc.id
    PublicSubnetIds  = join(",", local.vpc.public_subnets)
    PrivateSubnetIds = join(",", local.vpc.private_subnets)
  }, local.platform)
  tags = var.tags
}
