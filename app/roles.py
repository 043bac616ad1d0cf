"""`oast role`: AWS roles that act in a project without a stored key."""

from uuid import UUID

import click

from app.bootstrap import build_container
from app.settings import Settings
from app.shell import as_operator, every
from app.terminal import Output, with_json
from tenancy.principals import Role
from tenancy.role_bindings.rules import BINDING_SCOPES, NEVER_BOUND
from tenancy.role_bindings.service import BindRole
from tenancy.scopes import Scope


@click.group("role")
def role_group() -> None:
    """AWS roles that connect to a project without a stored key."""


@role_group.command("bind")
@click.argument("project_name", metavar="PROJECT")
@click.argument("role_arn")
@click.option("--member", "member_name", required=True, help="For whom it acts: a data owner, say.")
@click.option("--unique-id", help="The role's id, AROA…; otherwise that of its first login.")
@click.option(
    "--role",
    "ceiling",
    type=click.Choice([role.label for role in Role]),
    default=Role.DATA_SCIENTIST.label,
    show_default=True,
    help="The most that it may do, and never more than the member.",
)
@click.option("--scope", "scopes", multiple=True, type=click.Choice([s.value for s in Scope if s not in NEVER_BOUND]))
@with_json
def bind_command(
    output: Output,
    project_name: str,
    role_arn: str,
    member_name: str,
    unique_id: str | None,
    ceiling: str,
    scopes: tuple[str, ...],
) -> None:
    """Let a role act in PROJECT. Scopes by default: featurestore, project:read."""
    container = build_container(Settings())
    chosen = tuple(Scope(scope) for scope in scopes) or BINDING_SCOPES
    command = BindRole(role_arn, unique_id, member_name, ceiling, chosen)
    info = container.role_bindings.bind(as_operator(container), project_name, command)
    output.record(info, f"{info.role_arn} now acts in {project_name} for {info.member}, as {info.role} at the most.")
    if unique_id is None:
        output.note("It is bound to whoever logs in first under this name; --unique-id would have said whom.")


@role_group.command("list")
@click.argument("project_name", metavar="PROJECT")
@with_json
def list_command(output: Output, project_name: str) -> None:
    """List the roles that act in PROJECT."""
    container = build_container(Settings())
    context = as_operator(container)
    rows = every(lambda page: container.role_bindings.list_role_bindings(context, project_name, page))
    output.rows(rows, ["id", "role_arn", "role_unique_id", "member", "role", "scopes", "state", "last_login_at"])


@role_group.command("unbind")
@click.argument("project_name", metavar="PROJECT")
@click.argument("binding_id", type=click.UUID)
@with_json
def unbind_command(output: Output, project_name: str, binding_id: UUID) -> None:
    """End a role's access to PROJECT, its sessions included, from the next request on."""
    container = build_container(Settings())
    container.role_bindings.unbind(as_operator(container), project_name, binding_id)
    output.record({"id": binding_id, "state": "unbound"}, f"Role binding {binding_id} has ended, and its sessions.")
