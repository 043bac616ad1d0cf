output "vpc_id" {
  description = "The VPC; the other side of a peering needs it."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "Subnets of tasks and database."
  value       = [for subnet in aws_subnet.private : subnet.id]
}

output "load_balancer_subnet_ids" {
  description = "Subnets of the load balancer."
  value       = var.internal ? [for subnet in aws_subnet.private : subnet.id] : [for subnet in aws_subnet.public : subnet.id]
}

output "load_balancer_cidr_blocks" {
  description = "Networks that requests of the load balancer come from."
  value       = [for subnet in(var.internal ? aws_subnet.private : aws_subnet.public) : subnet.cidr_block]
}

output "private_cidr_blocks" {
  description = "Networks of tasks and database."
  value       = [for subnet in aws_subnet.private : subnet.cidr_block]
}

output "load_balancer_security_group_id" {
  description = "Security group of the load balancer."
  value       = aws_security_group.load_balancer.id
}

output "tasks_security_group_id" {
  description = "Security group of gateway and workers."
  value       = aws_security_group.tasks.id
}

output "database_security_group_id" {
  description = "Security group of the database."
  value       = aws_security_group.database.id
}

output "peering_connection_ids" {
  description = "For the routes of the peers."
  value       = { for peer, connection in aws_vpc_peering_connection.this : peer => connection.id }
}
