variable "name" {
  description = "Beginning of the names of everything here."
  type        = string
}

variable "warehouse_bucket" {
  description = "Name of the warehouse's bucket."
  type        = string
}

variable "warehouse_prefix" {
  description = "Prefix below which the warehouse lies, without slashes at its ends; empty for the whole bucket."
  type        = string
}

variable "warehouse_kms_key_arn" {
  description = "Key of KMS that the bucket is encrypted with."
  type        = string
}

variable "project_secrets_prefix" {
  description = "What names of projects' secrets begin with, before the project's name. The gateway's own must lie elsewhere."
  type        = string
}

variable "project_secrets_kms_key_arn" {
  description = "Key of KMS that projects' secrets are encrypted with; null for AWS's own."
  type        = string
  default     = null
}

variable "connector_role_arns" {
  description = "Roles of storage connectors that the gateway may assume; those of other accounts trust it by their own policies."
  type        = list(string)
  default     = []
}

variable "project_warehouse_role_arns" {
  description = "Roles of projects' own warehouses that the gateway may assume; those of other accounts trust it by their own policies."
  type        = list(string)
  default     = []
}

variable "notebooks" {
  description = <<-EOT
    Roles of SageMaker notebooks and Databricks clusters, each with the one secret that it may read: `role` is the role's name,
    `store` is `secretsmanager` or `parameterstore`, `attach` says whether the policy is attached to the role, which then has to
    be in this account.
  EOT
  type = map(object({
    project     = string
    role        = string
    store       = string
    kms_key_arn = optional(string)
    attach      = optional(bool, false)
  }))
  default = {}

  validation {
    condition     = alltrue([for notebook in var.notebooks : contains(["secretsmanager", "parameterstore"], notebook.store)])
    error_message = "A store is secretsmanager or parameterstore."
  }
}

variable "image_repository_arn" {
  description = "ARN of the ECR repository that holds the image."
  type        = string
}

variable "log_group_arn" {
  description = "ARN of the log group of the tasks."
  type        = string
}

variable "gateway_secret_arns" {
  description = "Secrets that tasks are given: the pepper and the database's password."
  type        = list(string)
}

variable "gateway_secrets_kms_key_arn" {
  description = "Key of KMS that these and the operator key are encrypted with."
  type        = string
}

variable "operator_key_secret_arn" {
  description = "Secret that the first operator key is put into."
  type        = string
}

variable "permissions_boundary_arn" {
  description = "Boundary that your account asks for on every role; null for none. The vending role has its own."
  type        = string
  default     = null
}
