variable "name" {
  description = "Beginning of the names of everything here."
  type        = string
}

variable "cidr_block" {
  description = "Addresses of the VPC, /24 or larger; no peer may have the same."
  type        = string
}

variable "availability_zones" {
  description = "Two or three zones; the database and the load balancer need two."
  type        = list(string)

  validation {
    condition     = length(var.availability_zones) >= 2 && length(var.availability_zones) <= 4
    error_message = "Name two to four availability zones."
  }
}

variable "internal" {
  description = "Whether the load balancer has private addresses only. With `false` it stands in public subnets."
  type        = bool
}

variable "nat" {
  description = "Whether tasks reach the internet: for connectors to public databases, and for Databricks. One NAT gateway for each zone."
  type        = bool
}

variable "allowed_cidr_blocks" {
  description = "Networks that may reach the load balancer, beside those of peers. There is no default: nobody gets in unnamed."
  type        = list(string)

  validation {
    condition     = alltrue([for block in var.allowed_cidr_blocks : can(cidrnetmask(block)) && !endswith(block, "/0")])
    error_message = "Name networks such as 10.20.0.0/16; the whole internet is none."
  }
}

variable "port" {
  description = "Port of the tasks."
  type        = number
  default     = 8181
}

variable "egress" {
  description = "What tasks may reach beside AWS: a name each, with network and port."
  type        = map(object({ cidr_block = string, port = number }))
  default     = {}
}

variable "peers" {
  description = <<-EOT
    VPCs to be peered with, such as SageMaker's or Databricks': `vpc_id` and its `cidr_blocks`; `account_id` and `region` where they
    are not this VPC's own.
  EOT
  type = map(object({
    vpc_id      = string
    cidr_blocks = list(string)
    account_id  = optional(string)
    region      = optional(string)
  }))
  default = {}
}

variable "log_retention_days" {
  description = "How long the flow log is kept."
  type        = number
  default     = 365
}

variable "kms_key_arn" {
  description = "Key of KMS for the flow log."
  type        = string
}
