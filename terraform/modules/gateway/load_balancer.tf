# The one way in: HTTPS, TLS 1.2 or 1.3. There is no listener for plain HTTP: a key sent to it would be lost already.

resource "aws_lb" "this" {
  name                       = var.name
  load_balancer_type         = "application"
  internal                   = var.internal
  subnets                    = var.load_balancer_subnet_ids
  security_groups            = [var.load_balancer_security_group_id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection
  # Above what a client may wait for the first byte of an answer, which would be a 504 otherwise; below what the gateway keeps a
  # connection for, which must not close one that a request is on its way over.
  idle_timeout = min(4000, ceil(local.silent_seconds) + 60)

  access_logs {
    enabled = true
    bucket  = var.logs_bucket
    prefix  = "load-balancer"
  }
}

resource "aws_lb_target_group" "gateway" {
  name        = var.name
  vpc_id      = var.vpc_id
  target_type = "ip"
  protocol    = "HTTP"
  port        = local.port
  # As long as the gateway itself lets running requests finish.
  deregistration_delay          = local.graceful_seconds
  load_balancing_algorithm_type = "least_outstanding_requests"

  # Unhealthy after 150 s, so that a failover of the database does not restart every task on top of it.
  health_check {
    path                = "/readyz"
    matcher             = "200"
    interval            = 15
    timeout             = 10
    healthy_threshold   = 2
    unhealthy_threshold = 10
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.gateway.arn
  }
}

resource "aws_wafv2_web_acl_association" "this" {
  count = var.web_acl_arn == null ? 0 : 1

  resource_arn = aws_lb.this.arn
  web_acl_arn  = var.web_acl_arn
}

locals {
  # In line for a slot, and then for the work; the defaults are the gateway's own, and a test compares them.
  silent_seconds = tonumber(lookup(var.settings, "OAST_ENGINE__WAIT_SECONDS", "20")) + max(
    tonumber(lookup(var.settings, "OAST_ENGINE__DEADLINE_SECONDS", "300")),
    tonumber(lookup(var.settings, "OAST_CONNECTORS__DEADLINE_SECONDS", "120")),
  )
}
