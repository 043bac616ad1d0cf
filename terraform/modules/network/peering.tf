# The VPC of SageMaker's notebooks or of Databricks' clusters. Its own routes to this VPC and its side of the acceptance belong to whoever
# runs it; in the same account and region it is accepted here.

locals {
  peer_routes = merge([
    for peer, of in var.peers : {
      for pair in setproduct(keys(local.zones), of.cidr_blocks) : "${peer} ${pair[0]} ${pair[1]}" => {
        peer = peer, zone = pair[0], cidr_block = pair[1]
      }
    }
  ]...)
  peer_cidr_blocks = toset(flatten([for of in var.peers : of.cidr_blocks]))
}

resource "aws_vpc_peering_connection" "this" {
  for_each = var.peers

  vpc_id        = aws_vpc.this.id
  peer_vpc_id   = each.value.vpc_id
  peer_owner_id = each.value.account_id
  peer_region   = each.value.region
  auto_accept   = each.value.account_id == null && each.value.region == null
  tags          = { Name = "${var.name}-${each.key}" }
}

resource "aws_route" "peer" {
  for_each = local.peer_routes

  route_table_id            = aws_route_table.private[each.value.zone].id
  destination_cidr_block    = each.value.cidr_block
  vpc_peering_connection_id = aws_vpc_peering_connection.this[each.value.peer].id
}

resource "aws_vpc_security_group_ingress_rule" "peer" {
  for_each = local.peer_cidr_blocks

  security_group_id = aws_security_group.load_balancer.id
  description       = "Notebooks and clusters of a peer"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = each.value
}
