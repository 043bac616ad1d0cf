output "bucket" {
  description = "Name of the warehouse's bucket."
  value       = aws_s3_bucket.warehouse.id
}

output "kms_key_arn" {
  description = "Key that the warehouse is encrypted with."
  value       = aws_kms_key.warehouse.arn
}

output "logs_bucket" {
  description = "Name of the bucket of access logs; writers of theirs need its policy first."
  value       = aws_s3_bucket_policy.logs.bucket
}
