output "gateway_role_arn" {
  description = "Role of gateway and workers. Trust policies of connectors' roles name it."
  value       = aws_iam_role.gateway.arn
}

output "gateway_role_name" {
  description = "To attach further policies to, such as for programs on SageMaker."
  value       = aws_iam_role.gateway.name
}

output "vending_role_arn" {
  description = "Role of the credentials that the gateway hands out."
  value       = aws_iam_role.vending.arn
}

output "execution_role_arn" {
  description = "Role with which ECS starts tasks."
  value       = aws_iam_role.execution.arn
}

output "setup_role_arn" {
  description = "Role of the task that makes the first operator key."
  value       = aws_iam_role.setup.arn
}

output "notebook_policy_arns" {
  description = "Policies for roles of notebooks and clusters."
  value       = { for id, policy in aws_iam_policy.notebook : id => policy.arn }
}
