output "core" {
  description = "Outputs of core.yaml: names of queues, bucket, policies."
  value       = aws_cloudformation_stack.core.outputs
}

output "platform" {
  description = "Outputs of platform.yaml: address of the API, secrets; null without a platform."
  value       = one(aws_cloudformation_stack.platform[*].outputs)
}
