variable "name" {
  description = "Beginning of the names of everything here; 24 characters at the most."
  type        = string
}

variable "region" {
  description = "Region of AWS."
  type        = string
}

variable "cidr_block" {
  description = "Addresses of the VPC, such as 10.40.0.0/20; no peer may have the same."
  type        = string
}

variable "availability_zones" {
  description = "Two zones of the region or more."
  type        = list(string)
}

variable "allowed_cidr_blocks" {
  description = "Networks that may reach the gateway, beside those of peers."
  type        = list(string)
}

variable "peers" {
  description = "VPCs of notebooks and clusters to be peered with; see the module `network`."
  type = map(object({
    vpc_id      = string
    cidr_blocks = list(string)
    account_id  = optional(string)
    region      = optional(string)
  }))
}

variable "bucket" {
  description = "Name of the warehouse's bucket, unique in all of AWS."
  type        = string
}

variable "certificate_arn" {
  description = "Certificate of ACM for the name that notebooks connect to."
  type        = string
}

variable "image" {
  description = "The image, by its digest."
  type        = string
}

variable "image_repository_arn" {
  description = "ARN of the ECR repository that holds it."
  type        = string
}

variable "notebooks" {
  description = "Roles of notebooks and clusters, each with the one secret that it may read; see the module `iam`."
  type = map(object({
    project     = string
    role        = string
    store       = string
    kms_key_arn = optional(string)
    attach      = optional(bool, false)
  }))
}

variable "alarm_emails" {
  description = "Who is told of alarms."
  type        = list(string)
}

variable "internal" {
  description = "Whether the gateway has private addresses only."
  type        = bool
}

variable "nat" {
  description = "Whether tasks reach the internet: for connectors to public databases, and for Databricks."
  type        = bool
}

variable "egress" {
  description = "What tasks may reach beside AWS: a name each, with network and port."
  type        = map(object({ cidr_block = string, port = number }))
}

variable "warehouse_prefix" {
  description = "Prefix below which the warehouse lies in its bucket, without slashes at its ends; empty for the whole bucket."
  type        = string
}

variable "connector_role_arns" {
  description = "Roles of storage connectors that the gateway may assume."
  type        = list(string)
}

variable "project_warehouse_role_arns" {
  description = "Roles of projects' own warehouses that the gateway may assume."
  type        = list(string)
  default     = []
}

variable "project_secrets_kms_key_arn" {
  description = "Key of KMS that projects' secrets are encrypted with; null for AWS's own."
  type        = string
}

variable "settings" {
  description = "Further settings (docs/settings.md)."
  type        = map(string)
  default     = {}
}

variable "secret_settings" {
  description = "Settings that are secrets, such as OAST_SPARK__REMOTE: each with the ARN of the secret that holds it, encrypted with the key of the module `secrets` or AWS's own."
  type        = map(string)
  default     = {}
}

variable "web_acl_arn" {
  description = "Web ACL of WAF in front of the load balancer; null for none."
  type        = string
  default     = null
}

variable "permissions_boundary_arn" {
  description = "Boundary that your account asks for on every role; null for none."
  type        = string
  default     = null
}
