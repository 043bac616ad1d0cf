variable "name" {
  description = "Beginning of the names of everything here."
  type        = string
}

variable "project_secrets_prefix" {
  description = "What names of projects' secrets begin with, before the project's name."
  type        = string

  validation {
    condition     = endswith(var.project_secrets_prefix, "/") && !startswith("${var.name}-gateway/", var.project_secrets_prefix)
    error_message = "The prefix ends with a slash, and the gateway's own secrets do not begin with it."
  }
}

variable "notebooks" {
  description = "Roles of notebooks and clusters, as the module `iam` takes them."
  type = map(object({
    project     = string
    role        = string
    store       = string
    kms_key_arn = optional(string)
    attach      = optional(bool, false)
  }))
  default = {}
}
