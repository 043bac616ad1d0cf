output "kms_key_arn" {
  description = "Key of secrets, logs and database."
  value       = aws_kms_key.this.arn
}

output "pepper_secret_arn" {
  description = "The pepper. Back it up apart from the database."
  value       = aws_secretsmanager_secret.pepper.arn

  # Tasks that are given the secret need a value in it.
  depends_on = [aws_secretsmanager_secret_version.pepper]
}

output "operator_key_secret_arn" {
  description = "The first operator key, once the installation is set up."
  value       = aws_secretsmanager_secret.operator_key.arn
}

output "api_key_secret_names" {
  description = "Secrets that wait for an API key."
  value       = { for id, secret in aws_secretsmanager_secret.api_key : id => secret.name }
}
