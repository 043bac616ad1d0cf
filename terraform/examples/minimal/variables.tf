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
