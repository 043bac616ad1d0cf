variable "name" {
  description = "Beginning of the names of everything here; 24 characters at the most."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", var.name))
    error_message = "A name has 3 to 24 of a-z, 0-9 and hyphens, and begins with a letter."
  }
}

variable "image" {
  description = "The image, by its digest: `123456789012.dkr.ecr.eu-west-1.amazonaws.com/oasthouse@sha256:…`."
  type        = string

  validation {
    condition     = strcontains(var.image, "@sha256:")
    error_message = "Name the image by its digest: a tag may be another image tomorrow."
  }
}

variable "gateway" {
  description = "Size and number of gateway tasks: `cpu` of 1024 for a processor, `memory` in MiB, `storage_gb` from 21 for frames and spilled queries."
  type        = object({ cpu = number, memory = number, storage_gb = number, min = number, max = number })
}

variable "worker" {
  description = "The same of workers; null runs the worker inside the gateway's tasks."
  type        = object({ cpu = number, memory = number, storage_gb = number, min = number, max = number })
}

variable "one_off" {
  description = "Size of the tasks that set up and migrate."
  type        = object({ cpu = number, memory = number, storage_gb = number })
  default     = { cpu = 512, memory = 1024, storage_gb = 21 }
}

variable "settings" {
  description = "Further settings (docs/settings.md), which win over those made here."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.settings) : startswith(name, "OAST_")])
    error_message = "Settings begin with OAST_."
  }
}

variable "secret_settings" {
  description = "Settings that are secrets, such as OAST_SPARK__REMOTE: each with the ARN of the secret that holds it, encrypted with the key of the module `secrets` or AWS's own."
  type        = map(string)
  default     = {}
}

variable "database_url" {
  description = "OAST_DATABASE_URL without a password."
  type        = string
}

variable "database_password_secret_arn" {
  description = "Secret with the key `password`."
  type        = string
}

variable "pepper_secret_arn" {
  description = "Secret that is the pepper."
  type        = string
}

variable "operator_key_secret_arn" {
  description = "Secret that the first operator key is put into."
  type        = string
}

variable "warehouse_bucket" {
  description = "Name of the warehouse's bucket."
  type        = string
}

variable "warehouse_prefix" {
  description = "Prefix below which the warehouse lies; empty for the whole bucket."
  type        = string
}

variable "project_secrets_prefix" {
  description = "What names of projects' secrets begin with, before the project's name."
  type        = string
}

variable "gateway_role_arn" {
  description = "Role of gateway and workers."
  type        = string
}

variable "execution_role_arn" {
  description = "Role with which ECS starts tasks."
  type        = string
}

variable "setup_role_arn" {
  description = "Role of the task that sets up."
  type        = string
}

variable "permissions_boundary_arn" {
  description = "Boundary that your account asks for on every role; null for none."
  type        = string
  default     = null
}

variable "log_group_name" {
  description = "Log group of the tasks."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of KMS for the measurements of the cluster."
  type        = string
}

variable "log_retention_days" {
  description = "How long these are kept."
  type        = number
  default     = 365
}

variable "logs_bucket" {
  description = "Bucket of the load balancer's access logs."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of the tasks."
  type        = list(string)
}

variable "tasks_security_group_id" {
  description = "Security group of the tasks."
  type        = string
}

variable "load_balancer_cidr_blocks" {
  description = "Networks of those subnets: what comes from there may say for which address it asks."
  type        = list(string)
}

variable "load_balancer_subnet_ids" {
  description = "Subnets of the load balancer, in two zones or more."
  type        = list(string)
}

variable "load_balancer_security_group_id" {
  description = "Security group of the load balancer."
  type        = string
}

variable "internal" {
  description = "Whether the load balancer has private addresses only."
  type        = bool
}

variable "certificate_arn" {
  description = "Certificate of ACM for the name that notebooks connect to."
  type        = string
}

variable "web_acl_arn" {
  description = "Web ACL of WAF in front of the load balancer; null for none."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether the load balancer can only be deleted after this was set to false."
  type        = bool
  default     = true
}

variable "vending_role_arn" {
  description = "Role that is cut down to one table for each credential that the gateway hands out; null where it hands out none."
  type        = string
  default     = null
}
