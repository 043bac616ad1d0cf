output "log_group_name" {
  description = "Log group of the tasks."
  value       = aws_cloudwatch_log_group.tasks.name
}

output "log_group_arn" {
  description = "Its ARN."
  value       = aws_cloudwatch_log_group.tasks.arn
}

output "alarm_topic_arn" {
  description = "Topic that alarms are sent to."
  value       = aws_sns_topic.alarms.arn
}
