variable "name" {
  description = "Name of the database instance."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets in two zones or more."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of the database."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of KMS for storage, backups, logs and the password."
  type        = string
}

variable "engine_version" {
  description = "Version of PostgreSQL: a major one, and RDS takes its newest minor."
  type        = string
  default     = "17"
}

variable "instance_class" {
  description = "Size of the instance."
  type        = string
}

variable "storage_gb" {
  description = "Storage at first; it grows by itself to ten times that."
  type        = number
  default     = 20
}

variable "multi_az" {
  description = "Whether a second instance stands by in another zone."
  type        = bool
}

variable "backups_kept_days" {
  description = "How far back the database can be restored to any second."
  type        = number
  default     = 14
}

variable "deletion_protection" {
  description = "Whether the database can only be deleted after this was set to false."
  type        = bool
  default     = true
}

variable "password_rotation_days" {
  description = "After how many days RDS changes the password."
  type        = number
  default     = 30
}

variable "log_retention_days" {
  description = "How long the database's logs are kept."
  type        = number
  default     = 365
}
