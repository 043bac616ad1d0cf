output "load_balancer_dns_name" {
  description = "What your name for the gateway has to lead to."
  value       = aws_lb.this.dns_name
}

output "load_balancer_zone_id" {
  description = "For an alias record in Route 53."
  value       = aws_lb.this.zone_id
}

output "load_balancer_id" {
  description = "The load balancer as CloudWatch calls it."
  value       = aws_lb.this.arn_suffix
}

output "target_group_id" {
  description = "The target group, likewise."
  value       = aws_lb_target_group.gateway.arn_suffix
}

output "cluster_name" {
  description = "Name of the ECS cluster."
  value       = aws_ecs_cluster.this.name
}

output "service_names" {
  description = "Names of the services."
  value       = local.services
}

output "run_task" {
  description = "How an operator starts a task that runs once: `setup`, and `migrate` before a new release."
  value = {
    for task in ["setup", "migrate"] : task => join(" ", [
      "aws ecs run-task --launch-type FARGATE",
      "--cluster ${aws_ecs_cluster.this.name}",
      "--task-definition ${aws_ecs_task_definition.this[task].arn}",
      "--network-configuration 'awsvpcConfiguration={subnets=[${join(",", var.subnet_ids)}],securityGroups=[${var.tasks_security_group_id}],assignPublicIp=DISABLED}'",
    ])
  }
}
