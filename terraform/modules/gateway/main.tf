# Gateway and workers on Fargate: one image, no machine to keep, no key of AWS anywhere but the role of the task.

data "aws_partition" "this" {}
data "aws_region" "this" {}

# Made here, so that it is encrypted and ends: ECS would make it without either.
resource "aws_cloudwatch_log_group" "insights" {
  name              = "/aws/ecs/containerinsights/${var.name}/performance"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_ecs_cluster" "this" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }

  depends_on = [aws_cloudwatch_log_group.insights]
}

locals {
  port = 8181
  # Where the image has its one writable folder: pepper, spool, spill. It is gone with the task.
  data_dir = "/var/lib/oasthouse"
  # gunicorn's grace for running requests; a test compares it with the gateway's own.
  graceful_seconds = 30
  kill_seconds     = local.graceful_seconds + 15
  is_embedded      = var.worker == null

  settings = merge({
    OAST_SERVER__HOST             = "0.0.0.0"
    OAST_SERVER__PORT             = tostring(local.port)
    OAST_SERVER__BEHIND_TLS_PROXY = "true"
    OAST_SERVER__TRUSTED_PROXIES  = join(",", var.load_balancer_cidr_blocks)
    OAST_DATA_DIR                 = local.data_dir
    OAST_DATABASE_URL             = var.database_url
    OAST_WAREHOUSE__URL           = var.warehouse_prefix == "" ? "s3://${var.warehouse_bucket}" : "s3://${var.warehouse_bucket}/${var.warehouse_prefix}"
    OAST_WAREHOUSE__REGION        = data.aws_region.this.region
    OAST_SECRETS__PREFIX          = "${var.project_secrets_prefix}{project}/"
    OAST_SECRETS__AWS_REGION      = data.aws_region.this.region
    OAST_CONNECTORS__STS_REGION   = data.aws_region.this.region
    OAST_JOBS__EMBEDDED           = tostring(local.is_embedded)
  }, var.vending_role_arn == null ? {} : { OAST_VENDING__ROLE = var.vending_role_arn }, var.settings)

  # References: ECS reads the secrets when a task starts. The image's entry point puts the pepper where it is looked for.
  secrets = merge({
    OASTHOUSE_PEPPER       = var.pepper_secret_arn
    OAST_DATABASE_PASSWORD = "${var.database_password_secret_arn}:password::"
  }, var.secret_settings)

  container = {
    image                  = var.image
    essential              = true
    user                   = "10001:10001"
    readonlyRootFilesystem = true
    privileged             = false
    stopTimeout            = local.kill_seconds
    environment            = [for name, value in merge(local.settings, { AWS_REGION = data.aws_region.this.region }) : { name = name, value = value }]
    secrets                = [for name, arn in local.secrets : { name = name, valueFrom = arn }]
    mountPoints            = [{ sourceVolume = "data", containerPath = local.data_dir, readOnly = false }]
    linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
    ulimits                = [{ name = "nofile", softLimit = 65536, hardLimit = 65536 }]
  }

  log_options = {
    awslogs-group  = var.log_group_name
    awslogs-region = data.aws_region.this.region
  }

  # Whether the process answers; whether it is ready is the load balancer's question.
  health_check = {
    command     = ["CMD", "python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:${local.port}/livez', timeout=4)"]
    interval    = 30
    timeout     = 5
    retries     = 3
    startPeriod = 120
  }

  # What runs once belongs to nobody's service: an operator starts it.
  tasks = merge(
    {
      gateway = { command = ["oast", "serve"], size = var.gateway, role = var.gateway_role_arn, serves = true, environment = {} }
      migrate = { command = ["oast", "db", "upgrade"], size = var.one_off, role = var.gateway_role_arn, serves = false, environment = {} }
      setup = {
        command     = ["setup"], size = var.one_off, role = var.setup_role_arn, serves = false,
        environment = { OASTHOUSE_OPERATOR_KEY_SECRET = var.operator_key_secret_arn }
      }
    },
    { for worker in [var.worker] : "worker" => { command = ["oast", "worker"], size = worker, role = var.gateway_role_arn, serves = false, environment = {} } if worker != null },
  )
}

resource "aws_ecs_task_definition" "this" {
  for_each = local.tasks

  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.size.cpu
  memory                   = each.value.size.memory
  task_role_arn            = each.value.role
  execution_role_arn       = var.execution_role_arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  ephemeral_storage {
    size_in_gib = each.value.size.storage_gb
  }

  volume {
    name = "data"
  }

  container_definitions = jsonencode([merge(local.container, {
    name             = each.key
    command          = each.value.command
    environment      = concat(local.container.environment, [for name, value in each.value.environment : { name = name, value = value }])
    logConfiguration = { logDriver = "awslogs", options = merge(local.log_options, { awslogs-stream-prefix = each.key }) }
    portMappings     = [for port in [local.port] : { containerPort = port, protocol = "tcp" } if each.value.serves]
  }, { for name, check in { healthCheck = local.health_check } : name => check if each.value.serves })])
}

resource "aws_ecs_service" "gateway" {
  name                               = "${var.name}-gateway"
  cluster                            = aws_ecs_cluster.this.id
  task_definition                    = aws_ecs_task_definition.this["gateway"].arn
  desired_count                      = var.gateway.min
  launch_type                        = "FARGATE"
  platform_version                   = "LATEST"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = 180
  enable_execute_command             = false
  propagate_tags                     = "SERVICE"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [var.tasks_security_group_id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.gateway.arn
    container_name   = "gateway"
    container_port   = local.port
  }

  lifecycle {
    # Autoscaling decides.
    ignore_changes = [desired_count]
  }

  depends_on = [aws_lb_listener.https]
}

resource "aws_ecs_service" "worker" {
  count = local.is_embedded ? 0 : 1

  name                               = "${var.name}-worker"
  cluster                            = aws_ecs_cluster.this.id
  task_definition                    = aws_ecs_task_definition.this["worker"].arn
  desired_count                      = var.worker.min
  launch_type                        = "FARGATE"
  platform_version                   = "LATEST"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  enable_execute_command             = false
  propagate_tags                     = "SERVICE"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [var.tasks_security_group_id]
    assign_public_ip = false
  }

  lifecycle {
    ignore_changes = [desired_count]
  }
}

resource "aws_appautoscaling_target" "this" {
  for_each = local.scaled

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${var.name}-${each.key}"
  min_capacity       = each.value.min
  max_capacity       = each.value.max

  depends_on = [aws_ecs_service.gateway, aws_ecs_service.worker]
}

resource "aws_appautoscaling_policy" "cpu" {
  for_each = local.scaled

  name               = "${var.name}-${each.key}-cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[each.key].resource_id

  target_tracking_scaling_policy_configuration {
    target_value = 60
    # A task that goes takes its streams and runs with it, and clients begin again: slowly down, quickly up.
    scale_in_cooldown  = 600
    scale_out_cooldown = 60

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

locals {
  # Names and not references: what is scaled has to be known before it is made.
  scaled = { for task, of in { gateway = var.gateway, worker = var.worker } : task => of if of != null }
}
