# Roles. What they may do is written in documents/, which a test compares with infra/iam.py.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  roles = "arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:role"
  # By name and not by reference: the two roles name each other.
  gateway_role_name = "${var.name}-gateway"
  vending_role_name = "${var.name}-vending"
}

module "documents" {
  source = "./documents"

  partition             = data.aws_partition.this.partition
  account_id            = data.aws_caller_identity.this.account_id
  region                = data.aws_region.this.region
  warehouse_bucket      = var.warehouse_bucket
  warehouse_prefix      = var.warehouse_prefix
  warehouse_kms_key_arn = var.warehouse_kms_key_arn
  secrets_prefix        = var.project_secrets_prefix
  secrets_kms_key_arn   = var.project_secrets_kms_key_arn
  gateway_role_arn      = aws_iam_role.gateway.arn
  vending_role_arn      = "${local.roles}/${local.vending_role_name}"
  connector_role_arns   = var.connector_role_arns
  notebooks             = var.notebooks

  project_warehouse_role_arns = var.project_warehouse_role_arns
}

# Gateway and workers. The role is had through the task only: no instance, no user, no key.
resource "aws_iam_role" "gateway" {
  name                 = local.gateway_role_name
  description          = "Gateway and workers of ${var.name}"
  assume_role_policy   = jsonencode(module.documents.gateway_trust)
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "gateway" {
  name   = "gateway"
  role   = aws_iam_role.gateway.id
  policy = jsonencode(module.documents.gateway)
}

# The role of credentials that the gateway hands out, each narrowed to one table.
resource "aws_iam_role" "vending" {
  name                 = local.vending_role_name
  description          = "Credentials that ${var.name} hands out"
  assume_role_policy   = jsonencode(module.documents.vending_trust)
  permissions_boundary = aws_iam_policy.vending_boundary.arn
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "vending" {
  name   = "vending"
  role   = aws_iam_role.vending.id
  policy = jsonencode(module.documents.vending)
}

resource "aws_iam_policy" "vending_boundary" {
  name        = "${local.vending_role_name}-boundary"
  description = "The most that ${local.vending_role_name} can ever do"
  policy      = jsonencode(module.documents.vending_boundary)
}

# What ECS itself needs to start a task: pull the image, write the log, read the secrets that the task is given.
resource "aws_iam_role" "execution" {
  name                 = "${var.name}-execution"
  description          = "Starts tasks of ${var.name}"
  assume_role_policy   = jsonencode(module.documents.gateway_trust)
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "execution" {
  name = "execution"
  role = aws_iam_role.execution.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # This one call knows no resources.
      { Effect = "Allow", Action = "ecr:GetAuthorizationToken", Resource = "*" },
      {
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = var.image_repository_arn
      },
      { Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = "${var.log_group_arn}:*" },
      { Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = var.gateway_secret_arns },
      { Effect = "Allow", Action = "kms:Decrypt", Resource = var.gateway_secrets_kms_key_arn },
    ]
  })
}

# The one task that may write a secret: it stores the first operator key, which nobody gets to see on the way.
resource "aws_iam_role" "setup" {
  name                 = "${var.name}-setup"
  description          = "Makes the first operator key of ${var.name}"
  assume_role_policy   = jsonencode(module.documents.gateway_trust)
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "setup" {
  name = "setup"
  role = aws_iam_role.setup.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "secretsmanager:PutSecretValue", Resource = var.operator_key_secret_arn },
      { Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = var.gateway_secrets_kms_key_arn },
    ]
  })
}

# For the roles of notebooks and clusters: each may read its one secret.
resource "aws_iam_policy" "notebook" {
  for_each = var.notebooks

  name        = "${var.name}-notebook-${each.key}"
  description = "The API key of ${each.value.role} for the project ${each.value.project}"
  policy      = jsonencode(module.documents.notebooks[each.key])
}

resource "aws_iam_role_policy_attachment" "notebook" {
  for_each = { for id, notebook in var.notebooks : id => notebook if notebook.attach }

  role       = each.value.role
  policy_arn = aws_iam_policy.notebook[each.key].arn
}
