"""`oast project warehouse`: where a project's tables go, if not into the gateway's own warehouse."""

import click

from app.bootstrap import build_container
from app.checks import Check
from app.container import Container
from app.featurestore.warehouses.rules import RegisterWarehouse
from app.featurestore.warehouses.service import ProjectWarehouseInfo
from app.settings import Settings
from app.shell import as_operator
from app.terminal import Output, with_json
from infra.errors import GatewayError, InvalidInputError


@click.command("warehouse")
@click.argument("name")
@click.argument("url", required=False)
@click.option("--role", "role_arn", help="ARN of the role that the gateway assumes for it.")
@click.option("--external-id", help="What the role's trust policy asks for; goes with --role.")
@click.option("--kms-key", help="ARN of the KMS key that everything there is encrypted with.")
@click.option("--region", help="The bucket's region.")
@click.option("--endpoint", "endpoint_url", help="Another S3 endpoint than AWS's own.")
@click.option("--unset", is_flag=True, help="New tables go into the gateway's own warehouse again.")
@with_json
def warehouse_command(output: Output, name: str, url: str | None, *, unset: bool, **given: str | None) -> None:
    """Show the project's own warehouse; register s3://bucket/prefix as it, proven first; or --unset it.

    It is for new feature groups and training datasets. What is there already stays where it is.
    """
    container = build_container(Settings())
    context, warehouses = as_operator(container), container.warehouses
    if unset and (url or any(given.values())):
        raise InvalidInputError("--unset stands alone.")
    if url is None and any(given.values()):
        raise InvalidInputError("There is no place to register.", hint="Name it: s3://bucket/prefix.")
    if unset:
        info = warehouses.unset(context, name)
    elif url is not None:
        info = warehouses.register(context, name, RegisterWarehouse(url, **given))
    else:
        info = warehouses.get(context, name)
    output.record(info, _told(info))


def commit_checks(container: Container) -> list[Check]:
    """Whether commits can lose each other."""
    try:
        container.commit_proofs.check()
    except GatewayError as error:
        fix = error.hint or "check OAST_WAREHOUSE__…"
        return [Check("commits", passed=False, detail=error.detail, fix=fix)]
    return [Check("commits", passed=True, detail="of many writers at once the warehouse lets one")]


def project_warehouse_checks(container: Container) -> list[Check]:
    """Whether the warehouses of projects are as they were when they were registered."""
    try:
        return [_check(*each) for each in container.warehouses.check()]
    except GatewayError as error:
        return [Check("warehouses of projects", passed=False, detail=error.detail, fix=error.hint or "look again")]


def _check(url: str, project: str, fault: str | None) -> Check:
    name = f"warehouse of {project}"
    if fault is None:
        return Check(name, passed=True, detail=f"{url}: as when it was registered")
    return Check(name, passed=False, detail=f"{url}: {fault}", fix="see docs/warehouses.md")


def _told(info: ProjectWarehouseInfo) -> str:
    if info.url is None:
        told = f"New tables of {info.project} go into the gateway's own warehouse."
    else:
        how = f"as {info.role_arn}" if info.role_arn else "as the gateway itself"
        key = f"under the key {info.kms_key}" if info.kms_key else "encrypted as the bucket does it"
        said = ", ".join(filter(None, (info.url, how, key, info.region, info.endpoint_url)))
        told = f"New tables of {info.project} go to {said}; proven at {info.proven_at:%Y-%m-%d %H:%M}."
    return f"{told} Earlier ones lie in {', '.join(info.former)} as well." if info.former else told
