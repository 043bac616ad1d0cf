variable "partition" {
  description = "`aws`, `aws-cn` or `aws-us-gov`."
  type        = string
}

variable "account_id" {
  description = "Account of the installation."
  type        = string
}

variable "region" {
  description = "Region of the installation."
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
  description = "Key of KMS that the bucket is encrypted with; null for none."
  type        = string
  default     = null
}

variable "secrets_prefix" {
  description = "The part of OAST_SECRETS__PREFIX before the project's name, such as `oasthouse/`."
  type        = string
}

variable "secrets_kms_key_arn" {
  description = "Key of KMS that secrets of projects are encrypted with; null for AWS's own."
  type        = string
  default     = null
}

variable "gateway_role_arn" {
  description = "Role of gateway and workers."
  type        = string
}

variable "vending_role_arn" {
  description = "Role of the credentials that the gateway hands out; null where it hands out none."
  type        = string
  default     = null
}

variable "connector_role_arns" {
  description = "Roles of storage connectors that the gateway may assume."
  type        = list(string)
  default     = []
}

variable "project_warehouse_role_arns" {
  description = "Roles of projects' own warehouses that the gateway may assume; those of other accounts trust it by their own policies."
  type        = list(string)
  default     = []
}

variable "notebooks" {
  description = "Roles of notebooks and clusters, each with the one secret that it may read. `store` is `secretsmanager` or `parameterstore`."
  type = map(object({
    project     = string
    role        = string
    store       = string
    kms_key_arn = optional(string)
  }))
  default = {}
}
