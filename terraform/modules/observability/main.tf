# Where it is written down, who is told, and one page to look at.

data "aws_region" "this" {}

resource "aws_cloudwatch_log_group" "tasks" {
  name              = "/${var.name}/tasks"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_subscription" "alarms" {
  for_each = toset(var.alarm_emails)

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.value
}

locals {
  of_load_balancer = { LoadBalancer = var.load_balancer_id }
  of_target_group  = { LoadBalancer = var.load_balancer_id, TargetGroup = var.target_group_id }
  of_database      = { DBInstanceIdentifier = var.database_identifier }
  of_services = {
    for service in var.service_names : service => { ClusterName = var.cluster_name, ServiceName = service }
  }

  alarms = merge(
    {
      errors = {
        says      = "The gateway answered with 5xx."
        namespace = "AWS/ApplicationELB", metric = "HTTPCode_Target_5XX_Count", dimensions = local.of_load_balancer
        statistic = "Sum", above = true, threshold = var.errors_in_five_minutes, minutes = 5, missing = "notBreaching"
      }
      unreachable = {
        says      = "The load balancer had no task to give a request to, or got no answer from it."
        namespace = "AWS/ApplicationELB", metric = "HTTPCode_ELB_5XX_Count", dimensions = local.of_load_balancer
        statistic = "Sum", above = true, threshold = var.errors_in_five_minutes, minutes = 5, missing = "notBreaching"
      }
      no-healthy-task = {
        says      = "No gateway task is ready: database, warehouse or the tasks themselves."
        namespace = "AWS/ApplicationELB", metric = "HealthyHostCount", dimensions = local.of_target_group
        statistic = "Minimum", above = false, threshold = 1, minutes = 1, missing = "breaching"
      }
      database-cpu = {
        says      = "The database computes more than 80 % of the time."
        namespace = "AWS/RDS", metric = "CPUUtilization", dimensions = local.of_database
        statistic = "Average", above = true, threshold = 80, minutes = 15, missing = "breaching"
      }
      database-storage = {
        says      = "The database has less than 2 GB left."
        namespace = "AWS/RDS", metric = "FreeStorageSpace", dimensions = local.of_database
        statistic = "Minimum", above = false, threshold = 2000000000, minutes = 5, missing = "breaching"
      }
    },
    {
      for service, dimensions in local.of_services : "${service}-memory" => {
        says      = "${service} uses more than 90 % of its memory: lower OAST_ENGINE__SLOTS or OAST_ENGINE__MEMORY_LIMIT, or give it more."
        namespace = "AWS/ECS", metric = "MemoryUtilization", dimensions = dimensions
        statistic = "Maximum", above = true, threshold = 90, minutes = 5, missing = "notBreaching"
      }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.says
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.above ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = each.value.threshold
  period              = each.value.minutes * 60
  evaluation_periods  = each.key == "no-healthy-task" ? 3 : 1
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# The gateway writes a line of JSON for each fault of its own; that there are any is worth a look.
resource "aws_cloudwatch_log_metric_filter" "errors" {
  name           = "${var.name}-errors"
  log_group_name = aws_cloudwatch_log_group.tasks.name
  pattern        = "{ $.level = \"error\" || $.level = \"critical\" }"

  metric_transformation {
    name      = "Errors"
    namespace = var.name
    value     = "1"
  }
}

resource "aws_cloudwatch_metric_alarm" "log_errors" {
  alarm_name          = "${var.name}-errors-in-the-log"
  alarm_description   = "The gateway or a worker met something that it did not expect: see the log group /${var.name}/tasks."
  namespace           = var.name
  metric_name         = "Errors"
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.errors_in_five_minutes
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]

  depends_on = [aws_cloudwatch_log_metric_filter.errors]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [
      for index, widget in local.widgets : {
        type   = "metric"
        x      = index % 2 * 12
        y      = floor(index / 2) * 6
        width  = 12
        height = 6
        properties = {
          title   = widget.title
          region  = data.aws_region.this.region
          stat    = widget.stat
          period  = 60
          metrics = widget.metrics
        }
      }
    ]
  })
}

locals {
  balancer = ["LoadBalancer", var.load_balancer_id]
  database = ["DBInstanceIdentifier", var.database_identifier]
  widgets = [
    { title = "Requests", stat = "Sum", metrics = [concat(["AWS/ApplicationELB", "RequestCount"], local.balancer)] },
    { title = "Seconds to the answer, p99", stat = "p99", metrics = [concat(["AWS/ApplicationELB", "TargetResponseTime"], local.balancer)] },
    {
      title = "Answers", stat = "Sum", metrics = [
        for metric in ["HTTPCode_Target_2XX_Count", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count"] :
        concat(["AWS/ApplicationELB", metric], local.balancer)
      ]
    },
    {
      title = "Processors and memory of tasks, %", stat = "Average", metrics = [
        for pair in setproduct(["CPUUtilization", "MemoryUtilization"], var.service_names) :
        ["AWS/ECS", pair[0], "ClusterName", var.cluster_name, "ServiceName", pair[1]]
      ]
    },
    { title = "Database: processors, %", stat = "Average", metrics = [concat(["AWS/RDS", "CPUUtilization"], local.database)] },
    { title = "Database: connections", stat = "Maximum", metrics = [concat(["AWS/RDS", "DatabaseConnections"], local.database)] },
  ]
}
