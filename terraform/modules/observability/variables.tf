variable "name" {
  description = "Beginning of the names of everything here."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of KMS for the log and the topic."
  type        = string
}

variable "log_retention_days" {
  description = "How long the log is kept."
  type        = number
  default     = 365
}

variable "alarm_emails" {
  description = "Who is told of alarms; each address has to confirm. Other receivers subscribe to the topic."
  type        = list(string)
}

variable "errors_in_five_minutes" {
  description = "More errors than this in five minutes raise an alarm."
  type        = number
  default     = 5
}

variable "load_balancer_id" {
  description = "The load balancer as CloudWatch calls it: the end of its ARN."
  type        = string
}

variable "target_group_id" {
  description = "The target group, likewise."
  type        = string
}

variable "cluster_name" {
  description = "Name of the ECS cluster."
  type        = string
}

variable "service_names" {
  description = "Names of the ECS services."
  type        = list(string)
}

variable "database_identifier" {
  description = "Identifier of the database instance."
  type        = string
}
