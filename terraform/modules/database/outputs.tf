output "identifier" {
  description = "Identifier of the instance."
  value       = aws_db_instance.this.identifier
}

output "url" {
  description = "OAST_DATABASE_URL without its password. The certificate of RDS's own authority is asked for."
  value       = "postgresql://${aws_db_instance.this.username}@${aws_db_instance.this.endpoint}/${aws_db_instance.this.db_name}?sslmode=verify-full&sslrootcert=/etc/ssl/certs/rds-ca.pem"
}

output "password_secret_arn" {
  description = "Secret with the key `password`."
  value       = aws_db_instance.this.master_user_secret[0].secret_arn
}
