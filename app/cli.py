"""`oast`: everything an operator does on the gateway's own machine.

Who can run it holds the database and the pepper already, so the commands act as the operator, or with `--as` as a member
of a project; the audit log says so either way.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import click
from alembic import command as alembic

from app.bootstrap import build_container, own_settings
from app.checks import prove_vending, run_checks
from app.container import Container
from app.publishing import STORES, Publishing, publish, rotate
from app.readiness import migration_config
from app.roles import role_group
from app.server import require_free_port, require_safe_listener, serve
from app.settings import Settings
from app.shell import acting_as, as_operator, every
from app.terminal import Output, with_json
from app.upkeep import doctor_command, fsck_command, secrets_group, worker_command
from app.variables import unknown_variables
from app.warehouses import warehouse_command
from infra.crypto import Pepper
from infra.errors import InvalidInputError
from tenancy.actions import ShareKind
from tenancy.api_keys.service import CreateApiKey, IssuedKey
from tenancy.members.service import SetMember
from tenancy.principals import RequestContext, Role
from tenancy.projects.service import CreateProject
from tenancy.scopes import DEFAULT_SCOPES, Scope
from tenancy.shares.service import OfferShare


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="oasthouse")
def main() -> None:
    """Oasthouse, the multi-tenant feature-store gateway."""
    for name in unknown_variables():
        click.echo(f"warning: {name} names no setting; docs/settings.md lists them", err=True)


@main.command()
@with_json
def init(output: Output) -> None:
    """Make the database, the pepper and one operator key, shown once."""
    settings = Settings()
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if settings.pepper is None and not settings.resolved_pepper_file.exists():
        Pepper.create(settings.resolved_pepper_file)
    _upgrade(settings)
    issued = _container().api_keys.create_first_operator_key(_operator())
    _show_key(
        output, issued, "The operator key, shown this once. It makes projects and their first keys; it reads no data."
    )
    pepper = settings.resolved_pepper_file if settings.pepper is None else "the secret of OAST_PEPPER"
    output.note(f"Back up {pepper}: without it every key is void.")


@main.command("serve")
@with_json
def serve_command(output: Output) -> None:
    """Serve the API until stopped."""
    settings = Settings()
    require_safe_listener(settings.server)
    container = build_container(settings)
    faults = [check for check in run_checks(container) if not check.passed]
    if faults:
        raise InvalidInputError(f"{faults[0].name}: {faults[0].detail}", hint=faults[0].fix)
    require_free_port(settings.server)
    container.commit_proofs.require()
    container.locations.purge()
    if (fault := prove_vending(container)) is not None:
        output.note(fault)
    container.database.engine.dispose()
    scheme = "https" if settings.server.certfile else "http"
    output.note(f"Oasthouse serves on {scheme}://{settings.server.host}:{settings.server.port} (Ctrl-C stops it)")
    serve(settings)


@main.command()
@click.option("--aws", is_flag=True, help="With the warehouse in S3, roles that log in, and reads past the gateway.")
@click.option("--keep", is_flag=True, help="Leave the gateway up afterwards; not with --aws.")
@click.option("--tour", help="The script to run against the gateway; default: examples/tour.py or tour_aws.py.")
@with_json
def demo(output: Output, *, aws: bool, keep: bool, tour: str | None) -> None:
    """Run the tour: a gateway, a local Secrets Manager, and a notebook's work through the SDK."""
    from app.demo import run_aws_demo, run_demo  # noqa: PLC0415 needs the demo extra

    del output
    if aws and keep:
        raise click.UsageError("--aws ends by itself: leave out --keep.")
    raise SystemExit(
        run_aws_demo(tour or "examples/tour_aws.py") if aws else run_demo(tour or "examples/tour.py", keep=keep)
    )


@main.group()
def db() -> None:
    """The metadata database."""


@db.command()
@with_json
def upgrade(output: Output) -> None:
    """Bring the database to the revision that this gateway needs."""
    settings = Settings()
    _upgrade(settings)
    output.record({"status": "upgraded"}, "The database is up to date.")


@main.group()
def project() -> None:
    """Projects."""


@project.command("create")
@click.argument("name")
@click.option("--owner", required=True, help="User name or e-mail address of the first data owner.")
@click.option("--description", default="")
@with_json
def project_create(output: Output, name: str, owner: str, description: str) -> None:
    """Make a project with its first data owner."""
    info = _container().projects.create(_operator(), CreateProject(name, owner, description))
    output.record(info, f"Project {info.name} with feature store {info.featurestore}; data owner {owner}.")


@project.command("list")
@with_json
def project_list(output: Output) -> None:
    """List every project."""
    rows = every(lambda page: _container().projects.list_projects(_operator(), page))
    output.rows(rows, ["name", "featurestore", "description", "created_at"])


@project.command("vending")
@click.argument("name")
@click.argument("switch", required=False, type=click.Choice(["on", "off"]))
@click.option("--as", "member_name", help="The data owner who turns it on or off.")
@with_json
def project_vending(output: Output, name: str, switch: str | None, member_name: str | None) -> None:
    """Show whether clients may have credentials for the project's tables; turn it on or off."""
    vending = _container().vending
    if switch is None:
        info = vending.get(_operator(), name)
    elif member_name is None:
        raise InvalidInputError("Turning it on or off is a data owner's business.", hint="Name one of them with --as.")
    else:
        info = vending.set(_acting_as(name, member_name), name, enabled=switch == "on")
    state = ("on, but out of order: " + info.why if info.why else "on") if info.enabled else "off"
    output.record(info, f"Credentials for tables of {name}: {state}")


@main.group()
def member() -> None:
    """Members of a project."""


@member.command("set")
@click.argument("project_name", metavar="PROJECT")
@click.argument("name")
@click.argument("role", type=click.Choice([role.label for role in Role]))
@with_json
def member_set(output: Output, project_name: str, name: str, role: str) -> None:
    """Add a member or change a role."""
    info = _container().members.set(_operator(), project_name, name, SetMember(role))
    output.record(info, f"{info.name} is {info.role} in {project_name}.")


@member.command("list")
@click.argument("project_name", metavar="PROJECT")
@with_json
def member_list(output: Output, project_name: str) -> None:
    """List the members of a project."""
    rows = every(lambda page: _container().members.list_members(_operator(), project_name, page))
    output.rows(rows, ["name", "role", "created_at"])


def _publishing(command: Any) -> Any:
    for option in (
        click.option("--region", help="AWS region; default: OAST_SECRETS__AWS_REGION, or boto3's own."),
        click.option("--kms-key", help="Id or ARN of a KMS key of one's own."),
        click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE"),
    ):
        command = option(command)
    return command


@main.group()
def key() -> None:
    """API keys of a project."""


@key.command("create")
@click.argument("project_name", metavar="PROJECT")
@click.option("--member", "member_name", required=True, help="Whose key it is.")
@click.option("--name", default="key", show_default=True, help="What it is for.")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice([s.value for s in Scope if s is not Scope.OPERATOR])
)
@click.option("--days", type=int, help="Life in days.")
@with_json
def key_create(
    output: Output, project_name: str, member_name: str, name: str, scopes: tuple[str, ...], days: int | None
) -> None:
    """Make a key, shown once. Scopes by default: featurestore, project."""
    chosen = tuple(Scope(scope) for scope in scopes) or DEFAULT_SCOPES
    issued = _container().api_keys.create(_operator(), project_name, CreateApiKey(name, member_name, chosen, days))
    _show_key(output, issued, f"A key of {member_name} in {project_name}, shown this once.")


@key.command("publish")
@click.argument("project_name", metavar="PROJECT")
@click.option("--member", "member_name", required=True, help="Whose key it is.")
@click.option("--role", required=True, help="Name or ARN of the IAM role that is to use it.")
@click.option("--store", type=click.Choice(STORES), required=True)
@click.option("--name", help="What the key is for; default: the role's name.")
@click.option("--days", type=int, help="Life in days.")
@_publishing
@with_json
def key_publish(
    output: Output, project_name: str, member_name: str, name: str | None, days: int | None, **where: Any
) -> None:
    """Make a key and put it into AWS, where the role finds it; show the policy that the role needs, never the key."""
    publishing = Publishing(**where)
    command = CreateApiKey(name or publishing.role.rpartition("/")[2], member_name, DEFAULT_SCOPES, days)
    done = publish(_container(), project_name, command, publishing)
    output.record(done, done.text)


@key.command("rotate")
@click.argument("project_name", metavar="PROJECT")
@click.argument("key_id")
@click.option("--overlap-hours", type=click.IntRange(0, 720), default=24, show_default=True)
@click.option("--publish", "publishes", is_flag=True, help="Put the successor into AWS; needs --role and --store.")
@click.option("--role", help="Name or ARN of the IAM role that is to use it.")
@click.option("--store", type=click.Choice(STORES))
@_publishing
@with_json
def key_rotate(
    output: Output, project_name: str, key_id: str, overlap_hours: int, *, publishes: bool, **where: Any
) -> None:
    """Make a successor; the old key works on for the overlap."""
    overlap = timedelta(hours=overlap_hours)
    if publishes:
        if not where["role"] or not where["store"]:
            raise click.UsageError("--publish needs --role and --store.")
        done = rotate(_container(), project_name, key_id, overlap, Publishing(**where))
        output.record(done, done.text)
        return
    issued = _container().api_keys.rotate(_operator(), project_name, key_id, overlap)
    _show_key(output, issued, f"The successor of {key_id}, shown this once.")


@key.command("revoke")
@click.argument("project_name", metavar="PROJECT")
@click.argument("key_id")
@with_json
def key_revoke(output: Output, project_name: str, key_id: str) -> None:
    """Make a key useless from the next request on."""
    _container().api_keys.revoke(_operator(), project_name, key_id)
    output.record({"key_id": key_id, "state": "revoked"}, f"Key {key_id} is revoked.")


@key.command("list")
@click.argument("project_name", metavar="PROJECT")
@with_json
def key_list(output: Output, project_name: str) -> None:
    """List the keys of a project."""
    rows = every(lambda page: _container().api_keys.list_api_keys(_operator(), project_name, page))
    output.rows(rows, ["key_id", "name", "member", "scopes", "state", "expires_at", "last_used_at"])


@main.group()
def operator() -> None:
    """Operator keys: they make projects and first keys, and read no data."""


@operator.command("create")
@click.option("--name", default="operator", show_default=True, help="Whose it is, or what it is for.")
@with_json
def operator_create(output: Output, name: str) -> None:
    """Make another operator key, shown once."""
    issued = _container().api_keys.create_operator_key(_operator(), name)
    _show_key(output, issued, "An operator key, shown this once.")


@operator.command("list")
@with_json
def operator_list(output: Output) -> None:
    """List the operator keys."""
    rows = every(lambda page: _container().api_keys.list_operator_keys(_operator(), page))
    output.rows(rows, ["key_id", "name", "state", "created_at", "expires_at", "last_used_at"])


@operator.command("revoke")
@click.argument("key_id")
@with_json
def operator_revoke(output: Output, key_id: str) -> None:
    """Make an operator key useless from the next request on."""
    _container().api_keys.revoke_operator_key(_operator(), key_id)
    output.record({"key_id": key_id, "state": "revoked"}, f"Operator key {key_id} is revoked.")


@main.group()
def share() -> None:
    """Shares between projects. Each side acts through one of its data owners, named with --as."""


_AS = click.option("--as", "member_name", required=True, help="The data owner who acts.")


@share.command("offer")
@click.argument("project_name", metavar="PROJECT")
@click.argument("receiver")
@click.option(
    "--what", type=click.Choice([kind.value for kind in ShareKind]), default="feature_store", show_default=True
)
@click.option("--days", type=click.IntRange(1), help="End it by itself after so many days.")
@_AS
@with_json
def share_offer(
    output: Output, project_name: str, receiver: str, what: str, days: int | None, member_name: str
) -> None:
    """Offer PROJECT's feature store or training datasets to RECEIVER."""
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    context = _acting_as(project_name, member_name)
    info = _container().shares.offer(context, project_name, OfferShare(receiver, ShareKind(what), expires_at))
    output.record(info, f"Offered as share {info.id}; a data owner of {receiver} accepts it.")


@share.command("accept")
@click.argument("project_name", metavar="PROJECT")
@click.argument("share_id", type=click.UUID)
@_AS
@with_json
def share_accept(output: Output, project_name: str, share_id: UUID, member_name: str) -> None:
    """Accept a share offered to PROJECT."""
    info = _container().shares.accept(_acting_as(project_name, member_name), project_name, share_id)
    output.record(info, f"{project_name} now reads the {info.what} of {info.owner}.")


@share.command("decline")
@click.argument("project_name", metavar="PROJECT")
@click.argument("share_id", type=click.UUID)
@_AS
@with_json
def share_decline(output: Output, project_name: str, share_id: UUID, member_name: str) -> None:
    """Decline a share offered to PROJECT."""
    info = _container().shares.decline(_acting_as(project_name, member_name), project_name, share_id)
    output.record(info, f"Declined the {info.what} of {info.owner}.")


@share.command("end")
@click.argument("project_name", metavar="PROJECT")
@click.argument("share_id", type=click.UUID)
@_AS
@with_json
def share_end(output: Output, project_name: str, share_id: UUID, member_name: str) -> None:
    """End a share, from either side."""
    _container().shares.end(_acting_as(project_name, member_name), project_name, share_id)
    output.record({"id": share_id, "state": "ended"}, f"Share {share_id} has ended.")


@share.command("list")
@click.argument("project_name", metavar="PROJECT")
@with_json
def share_list(output: Output, project_name: str) -> None:
    """List what PROJECT offers and what it is offered."""
    rows = every(lambda page: _container().shares.list_shares(_operator(), project_name, page))
    output.rows(rows, ["id", "owner", "receiver", "what", "state", "offered_by", "answered_by", "expires_at"])


@cache
def _container() -> Container:
    return build_container(Settings())


def _upgrade(settings: Settings) -> None:
    alembic.upgrade(migration_config(own_settings(settings).resolved_database_url), "head")


def _operator() -> RequestContext:
    return as_operator(_container())


def _acting_as(project_name: str, member_name: str) -> RequestContext:
    return acting_as(_container(), project_name, member_name)


def _show_key(output: Output, issued: IssuedKey, text: str) -> None:
    shown = issued.key.reveal()
    output.record({**vars(issued.info), "key": shown}, f"{text}\n\n    {shown}\n")


for command_ in (role_group, worker_command, fsck_command, doctor_command, secrets_group):
    main.add_command(command_)
project.add_command(warehouse_command)

if __name__ == "__main__":
    main()
