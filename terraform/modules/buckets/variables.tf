variable "name" {
  description = "Beginning of the names of everything here."
  type        = string
}

variable "bucket" {
  description = "Name of the warehouse's bucket, unique in all of AWS. The bucket of logs is called the same with `-logs`."
  type        = string
}

variable "deleted_kept_days" {
  description = "How long what was deleted or overwritten can be had back. It is paid for meanwhile."
  type        = number
  default     = 30
}

variable "logs_kept_days" {
  description = "How long access logs are kept."
  type        = number
  default     = 365
}
