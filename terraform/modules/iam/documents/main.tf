# IAM documents and nothing else: no provider is needed, so a test runs this module and compares what comes out with
# infra/iam.py, statement by statement. Change both, or the test says so.

locals {
  bucket_arn  = "arn:${var.partition}:s3:::${var.warehouse_bucket}"
  objects_arn = var.warehouse_prefix == "" ? "${local.bucket_arn}/*" : "${local.bucket_arn}/${var.warehouse_prefix}/*"
  staged_arn  = "${local.objects_arn}/staged-*"
  in_place    = "${var.region}:${var.account_id}"

  # In China AWS uses the one or the other, by service; nothing but S3 has such a name under either.
  of_s3 = {
    aws-cn = ["s3.${var.region}.amazonaws.com", "s3.${var.region}.amazonaws.com.cn"]
    others = "s3.${var.region}.amazonaws.com"
  }

  # The key through S3 only: who holds the role cannot decrypt anything else with it.
  key_of_objects = {
    for use, actions in { gateway = ["kms:Decrypt", "kms:GenerateDataKey"], vending = ["kms:Decrypt", "kms:GenerateDataKey"] } : use => [
      for arn in [var.warehouse_kms_key_arn] : {
        Effect    = "Allow"
        Action    = actions
        Resource  = arn
        Condition = { StringEquals = { "kms:ViaService" = local.of_s3[var.partition == "aws-cn" ? "aws-cn" : "others"] } }
      } if arn != null
    ]
  }

  # Without a condition on the prefix: with one, S3 answers 403 in place of 404 for an object that is not there.
  list_warehouse = { Effect = "Allow", Action = "s3:ListBucket", Resource = local.bucket_arn }

  list_below_prefix = merge(local.list_warehouse, {
    for name, value in { Condition = { StringLike = { "s3:prefix" = ["${var.warehouse_prefix}/*"] } } } : name => value
    if var.warehouse_prefix != ""
  })

  gateway = concat(
    [
      local.list_warehouse,
      {
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
        Resource = local.objects_arn
      },
    ],
    local.key_of_objects["gateway"],
    [
      {
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = "arn:${var.partition}:secretsmanager:${local.in_place}:secret:${var.secrets_prefix}*"
      },
      {
        Effect   = "Allow"
        Action   = "ssm:GetParameter"
        Resource = "arn:${var.partition}:ssm:${local.in_place}:parameter/${var.secrets_prefix}*"
      },
    ],
    [for arn in [var.secrets_kms_key_arn] : { Effect = "Allow", Action = "kms:Decrypt", Resource = arn } if arn != null],
    [for arn in [var.vending_role_arn] : { Effect = "Allow", Action = local.assume, Resource = arn } if arn != null],
    [
      for arns in [var.connector_role_arns, var.project_warehouse_role_arns] :
      { Effect = "Allow", Action = "sts:AssumeRole", Resource = arns } if length(arns) > 0
    ],
  )

  # With a source identity, so that CloudTrail names project and key wherever a credential is used.
  assume = ["sts:AssumeRole", "sts:SetSourceIdentity"]

  # Rows of inserts are put where there is never a table.
  stage = ["s3:PutObject", "s3:AbortMultipartUpload"]

  vending = concat(
    [
      local.list_below_prefix,
      { Effect = "Allow", Action = "s3:GetObject", Resource = local.objects_arn },
      { Effect = "Allow", Action = local.stage, Resource = local.staged_arn },
    ],
    local.key_of_objects["vending"],
  )

  # Whatever is added to the vending role later, and whatever a bucket's own policy says: no more than that.
  vending_boundary = concat(local.vending, [
    {
      Effect    = "Deny"
      NotAction = concat(["s3:GetObject", "s3:ListBucket"], local.stage, ["kms:Decrypt", "kms:GenerateDataKey"])
      Resource  = "*"
    },
    { Effect = "Deny", Action = "s3:*", NotResource = [local.bucket_arn, local.objects_arn] },
    { Effect = "Deny", Action = local.stage, NotResource = local.staged_arn },
  ])

  notebook_resource = {
    for id, notebook in var.notebooks : id => notebook.store == "secretsmanager" ? {
      Action = "secretsmanager:GetSecretValue"
      # AWS ends a secret's ARN with a hyphen and six characters of its own.
      Resource = "arn:${var.partition}:secretsmanager:${local.in_place}:secret:hopsworks/project/${notebook.project}/role/${notebook.role}-??????"
      } : {
      Action   = "ssm:GetParameter"
      Resource = "arn:${var.partition}:ssm:${local.in_place}:parameter/hopsworks/project/${notebook.project}/role/${notebook.role}/type/api-key"
    }
  }
}
