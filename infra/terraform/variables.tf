variable "name" {
  description = "Begin of the stacks' names."
  type        = string
  default     = "runnel"
}

variable "size" {
  description = "small or large: sizes and numbers of everything."
  type        = string
  default     = "small"
}

variable "core" {
  description = "Parameters of core.yaml, by their names there; CodeBucket and CodeKey for a Lambda worker."
  type        = map(any)
  default     = {}
}

variable "platform" {
  description = "Parameters of platform.yaml, by their names there, at least Image; null for no servers."
  type        = map(any)
  default     = null
}

variable "vpc" {
  description = "An existing network; null makes one when there is a platform."
  type = object({
    id              = string
    public_subnets  = list(string)
    private_subnets = list(string)
  })
  default = null
}

variable "kms_key_arn" {
  description = "Key for everything that is kept; the services' own keys without it."
  type        = string
  default     = ""
}

variable "alarm_topic_arn" {
  description = "SNS topic that hears of alarms."
  type        = string
  default     = ""
}

variable "endpoint_url" {
  description = "Address of an emulator; nothing at AWS."
  type        = string
  default     = ""
}

variable "tags" {
  description = "Tags of the stacks and of what is in them."
  type        = map(string)
  default     = {}
}
