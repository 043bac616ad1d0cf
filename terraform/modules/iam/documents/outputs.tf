output "gateway" {
  description = "What gateway and workers may do."
  value       = { Version = "2012-10-17", Statement = local.gateway }
}

output "gateway_trust" {
  description = "ECS starts tasks in the role, for clusters of this account and region only."
  value = {
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = var.account_id }
        ArnLike      = { "aws:SourceArn" = "arn:${var.partition}:ecs:${local.in_place}:*" }
      }
    }]
  }
}

output "vending" {
  description = "The most that a credential can hold which the gateway hands out."
  value       = { Version = "2012-10-17", Statement = local.vending }
}

output "vending_boundary" {
  description = "Permission boundary of the vending role."
  value       = { Version = "2012-10-17", Statement = local.vending_boundary }
}

output "vending_trust" {
  description = "The gateway's own role assumes it, and nobody else."
  value = {
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Principal = { AWS = var.gateway_role_arn }, Action = local.assume },
    ]
  }
}

output "notebooks" {
  description = "For each notebook or cluster: its one secret, and the key if it is yours."
  value = {
    for id, notebook in var.notebooks : id => {
      Version = "2012-10-17"
      Statement = concat(
        [merge({ Effect = "Allow" }, local.notebook_resource[id])],
        [for arn in [notebook.kms_key_arn] : { Effect = "Allow", Action = "kms:Decrypt", Resource = arn } if arn != null],
      )
    }
  }
}
