# The warehouse's bucket: dedicated to it, since the gateway may list all of it and delete below its prefix.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

resource "aws_kms_key" "warehouse" {
  description             = "Rows of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      # Leaves it to the account's IAM policies who may use the key: without this nobody could, not even to mend it.
      Effect    = "Allow"
      Principal = { AWS = "arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:root" }
      Action    = "kms:*"
      Resource  = "*"
    }]
  })
}

resource "aws_kms_alias" "warehouse" {
  name          = "alias/${var.name}-warehouse"
  target_key_id = aws_kms_key.warehouse.key_id
}

resource "aws_s3_bucket" "warehouse" {
  #checkov:skip=CKV_AWS_144:Where rows may lie is the customer's decision; versions bring back what was deleted. Replication can be added to the bucket from outside.
  #checkov:skip=CKV2_AWS_62:Nobody listens: the gateway's own log and audit record say what was written.
  bucket = var.bucket
}

resource "aws_s3_bucket_public_access_block" "warehouse" {
  bucket                  = aws_s3_bucket.warehouse.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# Access lists of objects are off: policies alone decide.
resource "aws_s3_bucket_ownership_controls" "warehouse" {
  bucket = aws_s3_bucket.warehouse.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "warehouse" {
  bucket = aws_s3_bucket.warehouse.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "warehouse" {
  bucket = aws_s3_bucket.warehouse.id

  rule {
    # One request to KMS for many objects in place of one for each.
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.warehouse.arn
    }
  }
}

# Nothing here expires or moves an object that is current: the Delta log names it.
resource "aws_s3_bucket_lifecycle_configuration" "warehouse" {
  bucket = aws_s3_bucket.warehouse.id

  rule {
    id     = "abort-incomplete-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }

  rule {
    id     = "forget-what-was-deleted"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.deleted_kept_days
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  depends_on = [aws_s3_bucket_versioning.warehouse]
}

resource "aws_s3_bucket_logging" "warehouse" {
  bucket        = aws_s3_bucket.warehouse.id
  target_bucket = aws_s3_bucket.logs.id
  target_prefix = "warehouse/"
}

resource "aws_s3_bucket_policy" "warehouse" {
  bucket = aws_s3_bucket.warehouse.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.tls_only["warehouse"] })

  depends_on = [aws_s3_bucket_public_access_block.warehouse]
}

locals {
  arns = { warehouse = aws_s3_bucket.warehouse.arn, logs = aws_s3_bucket.logs.arn }
  tls_only = {
    for name, arn in local.arns : name => [
      {
        Sid       = "OnlyOverTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [arn, "${arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "OnlyOverTls12"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [arn, "${arn}/*"]
        Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
      },
    ]
  }
}
