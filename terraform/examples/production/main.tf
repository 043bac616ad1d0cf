# For many teams: gateways and workers apart and scaled by themselves, a database that stands by in a second zone, ways out and in by name.

provider "aws" {
  region = var.region

  default_tags {
    tags = { oasthouse = var.name }
  }
}

locals {
  project_secrets_prefix = "oasthouse/"
}

module "secrets" {
  source = "../../modules/secrets"

  name                   = var.name
  project_secrets_prefix = local.project_secrets_prefix
  notebooks              = var.notebooks
}

module "network" {
  source = "../../modules/network"

  name                = var.name
  cidr_block          = var.cidr_block
  availability_zones  = var.availability_zones
  internal            = var.internal
  nat                 = var.nat
  egress              = var.egress
  allowed_cidr_blocks = var.allowed_cidr_blocks
  peers               = var.peers
  kms_key_arn         = module.secrets.kms_key_arn
}

module "buckets" {
  source = "../../modules/buckets"

  name   = var.name
  bucket = var.bucket
}

module "database" {
  source = "../../modules/database"

  name                = var.name
  subnet_ids          = module.network.private_subnet_ids
  security_group_id   = module.network.database_security_group_id
  kms_key_arn         = module.secrets.kms_key_arn
  instance_class      = "db.m7g.large"
  multi_az            = true
  backups_kept_days   = 35
  deletion_protection = true
}

module "iam" {
  source = "../../modules/iam"

  name                        = var.name
  warehouse_bucket            = module.buckets.bucket
  warehouse_prefix            = var.warehouse_prefix
  warehouse_kms_key_arn       = module.buckets.kms_key_arn
  project_secrets_prefix      = local.project_secrets_prefix
  project_secrets_kms_key_arn = var.project_secrets_kms_key_arn
  connector_role_arns         = var.connector_role_arns
  project_warehouse_role_arns = var.project_warehouse_role_arns
  permissions_boundary_arn    = var.permissions_boundary_arn
  notebooks                   = var.notebooks
  image_repository_arn        = var.image_repository_arn
  log_group_arn               = module.observability.log_group_arn
  gateway_secret_arns         = concat([module.secrets.pepper_secret_arn, module.database.password_secret_arn], values(var.secret_settings))
  gateway_secrets_kms_key_arn = module.secrets.kms_key_arn
  operator_key_secret_arn     = module.secrets.operator_key_secret_arn
}

module "gateway" {
  source = "../../modules/gateway"

  name                            = var.name
  image                           = var.image
  gateway                         = { cpu = 4096, memory = 24576, storage_gb = 200, min = 2, max = 8 }
  worker                          = { cpu = 4096, memory = 16384, storage_gb = 200, min = 1, max = 4 }
  database_url                    = module.database.url
  database_password_secret_arn    = module.database.password_secret_arn
  pepper_secret_arn               = module.secrets.pepper_secret_arn
  operator_key_secret_arn         = module.secrets.operator_key_secret_arn
  warehouse_bucket                = module.buckets.bucket
  warehouse_prefix                = var.warehouse_prefix
  project_secrets_prefix          = local.project_secrets_prefix
  gateway_role_arn                = module.iam.gateway_role_arn
  execution_role_arn              = module.iam.execution_role_arn
  setup_role_arn                  = module.iam.setup_role_arn
  vending_role_arn                = module.iam.vending_role_arn
  log_group_name                  = module.observability.log_group_name
  kms_key_arn                     = module.secrets.kms_key_arn
  logs_bucket                     = module.buckets.logs_bucket
  vpc_id                          = module.network.vpc_id
  subnet_ids                      = module.network.private_subnet_ids
  tasks_security_group_id         = module.network.tasks_security_group_id
  load_balancer_subnet_ids        = module.network.load_balancer_subnet_ids
  load_balancer_cidr_blocks       = module.network.load_balancer_cidr_blocks
  load_balancer_security_group_id = module.network.load_balancer_security_group_id
  internal                        = var.internal
  certificate_arn                 = var.certificate_arn
  web_acl_arn                     = var.web_acl_arn
  permissions_boundary_arn        = var.permissions_boundary_arn
  secret_settings                 = var.secret_settings

  # 3 processes × 3 queries × 2 GB are 18 GB of a gateway's 24, and 2 runs × 2 GB little of a worker's 16.
  settings = merge({
    OAST_SERVER__WORKERS      = "3"
    OAST_SERVER__THREADS      = "32"
    OAST_ENGINE__SLOTS        = "3"
    OAST_ENGINE__MEMORY_LIMIT = "2GB"
    OAST_JOBS__SLOTS          = "2"
  }, var.settings)
}

module "observability" {
  source = "../../modules/observability"

  name                = var.name
  kms_key_arn         = module.secrets.kms_key_arn
  alarm_emails        = var.alarm_emails
  load_balancer_id    = module.gateway.load_balancer_id
  target_group_id     = module.gateway.target_group_id
  cluster_name        = module.gateway.cluster_name
  service_names       = module.gateway.service_names
  database_identifier = module.database.identifier
}
