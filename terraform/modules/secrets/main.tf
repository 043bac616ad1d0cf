# What only the gateway knows, and where API keys of notebooks lie. No value of any of them is in Terraform's state.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

resource "aws_kms_key" "this" {
  description             = "Secrets, logs and database of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # Leaves it to the account's IAM policies who may use the key: without this nobody could, not even to mend it.
        Effect    = "Allow"
        Principal = { AWS = "arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Effect    = "Allow"
        Principal = { Service = "logs.${data.aws_region.this.region}.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
        Condition = {
          ArnLike = {
            "kms:EncryptionContext:aws:logs:arn" = [
              for group in ["/${var.name}/*", "/aws/rds/instance/${var.name}/*", "/aws/ecs/containerinsights/${var.name}/*"] :
              "arn:${data.aws_partition.this.partition}:logs:${data.aws_region.this.region}:${data.aws_caller_identity.this.account_id}:log-group:${group}"
            ]
          }
        }
      },
      {
        # Alarms are sent to an encrypted topic.
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.this.account_id } }
      },
    ]
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}

# The names lie outside what projects may name (`project_secrets_prefix`): no member can refer to them.
resource "aws_secretsmanager_secret" "pepper" {
  #checkov:skip=CKV2_AWS_57:The pepper is the key of all key hashes and never changes; a new one voids every API key.
  name                    = "${var.name}-gateway/pepper"
  description             = "Key of all key hashes. Never rotated; without it every API key is void."
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = 30
}

# Ephemeral: made on the first apply, written once, and in no plan or state. 64 digits of hexadecimal, which are 32 bytes.
ephemeral "random_password" "pepper" {
  length           = 64
  lower            = false
  upper            = false
  numeric          = true
  special          = true
  override_special = "abcdef"
}

resource "aws_secretsmanager_secret_version" "pepper" {
  secret_id                = aws_secretsmanager_secret.pepper.id
  secret_string_wo         = ephemeral.random_password.pepper.result
  secret_string_wo_version = 1
}

# Filled by the task that sets up the installation.
resource "aws_secretsmanager_secret" "operator_key" {
  #checkov:skip=CKV2_AWS_57:Rotated with oast operator create and oast operator revoke, not by a function of Secrets Manager.
  name                    = "${var.name}-gateway/operator-key"
  description             = "The first operator key. It makes projects and their first keys; it reads no data."
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = 30
}

# One for each notebook that reads its API key from Secrets Manager; a data owner puts {"api-key": "oast_live_…"} into it.
resource "aws_secretsmanager_secret" "api_key" {
  #checkov:skip=CKV2_AWS_57:Rotated with oast key rotate, under which the old key and the new one hold side by side.
  for_each = { for id, notebook in var.notebooks : id => notebook if notebook.store == "secretsmanager" }

  name                    = "hopsworks/project/${each.value.project}/role/${each.value.role}"
  description             = "API key of ${each.value.role} for the project ${each.value.project}"
  kms_key_id              = each.value.kms_key_arn
  recovery_window_in_days = 30
}
