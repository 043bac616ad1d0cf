output "load_balancer_dns_name" {
  description = "What your name for the gateway has to lead to."
  value       = module.gateway.load_balancer_dns_name
}

output "run_task" {
  description = "How an operator starts a task that runs once."
  value       = module.gateway.run_task
}

output "operator_key_secret_arn" {
  description = "The first operator key, once the installation is set up."
  value       = module.secrets.operator_key_secret_arn
}

output "gateway_role_arn" {
  description = "What trust policies of connectors' roles have to name."
  value       = module.iam.gateway_role_arn
}

output "notebook_policy_arns" {
  description = "Policies for roles of notebooks and clusters."
  value       = module.iam.notebook_policy_arns
}
