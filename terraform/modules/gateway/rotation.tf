# Tasks are given the database's password when they start. When RDS has changed it, all of them are started anew, one after the other,
# while connections that are open live on. The event comes by way of CloudTrail, so the account needs a trail of management events.

locals {
  services = compact([aws_ecs_service.gateway.name, one(aws_ecs_service.worker[*].name)])
}

resource "aws_cloudwatch_event_rule" "password_rotated" {
  name        = "${var.name}-password-rotated"
  description = "RDS has changed the password of ${var.name}"
  event_pattern = jsonencode({
    source      = ["aws.secretsmanager"]
    detail-type = ["AWS Service Event via CloudTrail"]
    detail = {
      eventName           = ["RotationSucceeded"]
      additionalEventData = { SecretId = [var.database_password_secret_arn] }
    }
  })
}

resource "aws_cloudwatch_event_target" "password_rotated" {
  rule     = aws_cloudwatch_event_rule.password_rotated.name
  arn      = aws_sfn_state_machine.restart.arn
  role_arn = aws_iam_role.rotated.arn
}

resource "aws_sfn_state_machine" "restart" {
  #checkov:skip=CKV_AWS_284:It makes one call for each service; CloudTrail has them.
  #checkov:skip=CKV_AWS_285:It makes one call for each service; CloudTrail has them, and Step Functions keeps its history for 90 days.
  name     = "${var.name}-restart"
  role_arn = aws_iam_role.restart.arn
  definition = jsonencode({
    StartAt = "Restart"
    States = {
      Restart = {
        Type = "Parallel"
        End  = true
        Branches = [for service in local.services : {
          StartAt = service
          States = {
            (service) = {
              Type       = "Task"
              End        = true
              Resource   = "arn:${data.aws_partition.this.partition}:states:::aws-sdk:ecs:updateService"
              Parameters = { Cluster = aws_ecs_cluster.this.name, Service = service, ForceNewDeployment = true }
              Retry      = [{ ErrorEquals = ["States.ALL"], IntervalSeconds = 30, MaxAttempts = 5, BackoffRate = 2 }]
            }
          }
        }]
      }
    }
  })
}

resource "aws_iam_role" "restart" {
  name                 = "${var.name}-restart"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "states.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "restart" {
  name = "restart"
  role = aws_iam_role.restart.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "ecs:UpdateService"
      Resource = concat([aws_ecs_service.gateway.id], aws_ecs_service.worker[*].id)
    }]
  })
}

resource "aws_iam_role" "rotated" {
  name                 = "${var.name}-rotated"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "events.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "rotated" {
  name = "start"
  role = aws_iam_role.rotated.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "states:StartExecution", Resource = aws_sfn_state_machine.restart.arn }]
  })
}
