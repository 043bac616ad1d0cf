"""Commands that keep a gateway going: the worker, and the looks at whether it could serve and whether everything is there."""

import signal

import click

from app.bootstrap import build_container
from app.checks import Check, run_checks, vending_checks
from app.fsck import check_consistency
from app.settings import Settings
from app.standing import run_standing_checks
from app.terminal import Output, with_json
from app.warehouses import warehouse_checks
from infra.crypto import PepperUnusableError
from infra.errors import GatewayError
from infra.observability.logs import configure_logs
from infra.ports.executors import ProgramsNotValidError


@click.command("worker")
@click.option("--of", type=int, hidden=True, help="The server's process, with which it ends.")
@with_json
def worker_command(output: Output, *, of: int | None) -> None:
    """Take runs from the queue until stopped; as many workers as one likes."""
    from app.worker import Worker  # noqa: PLC0415 no other command needs multiprocessing

    settings = Settings()
    configure_logs(settings.log_level)
    worker = Worker(settings, of)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    output.note("Oasthouse works on its queue (Ctrl-C stops it)")
    worker.work()


@click.command("doctor")
@with_json
def doctor_command(output: Output) -> None:
    """Check settings, pepper, database and warehouse; say how to mend what fails."""
    checks = _doctor_checks()
    output.rows(checks, ["name", "passed", "detail", "fix"])
    if not all(check.passed for check in checks):
        raise SystemExit(1)


@click.command("fsck")
@click.option("--deep", is_flag=True, help="Read every file of training datasets and compare its digest.")
@click.option("--repair", is_flag=True, help="Remove what waits to be removed; nothing that anything names.")
@with_json
def fsck_command(output: Output, *, deep: bool, repair: bool) -> None:
    """Compare the database with the warehouse; exit with 1 where something acknowledged is not there."""
    container = build_container(Settings())
    removed = container.locations.purge() if repair else 0
    report = check_consistency(container, deep=deep)
    output.record(
        {**vars(report), "findings": [vars(finding) for finding in report.findings], "removed": removed},
        f"{report.feature_groups} feature groups, {report.training_datasets} training datasets, "
        f"{report.locations} locations: {len(report.findings)} findings."
        + (f" {removed} locations were removed." if repair else ""),
    )
    for finding in report.findings:
        mark = "fault" if finding.is_fault else "note"
        output.note(f"{mark}: {finding.subject} {finding.detail}\n       {finding.fix}")
    if not report.is_clean:
        raise SystemExit(1)


def _doctor_checks() -> list[Check]:
    try:
        container = build_container(Settings())
        try:
            checks = [*run_checks(container), *vending_checks(container), *run_standing_checks(container)]
            return [*checks, *warehouse_checks(container)]
        finally:
            container.database.engine.dispose()
    except PepperUnusableError as error:
        return [Check("pepper", passed=False, detail=error.detail, fix=error.hint or "")]
    except ProgramsNotValidError as error:
        return [Check("programs", passed=False, detail=error.detail, fix=error.hint or "see docs/jobs.md")]
    except GatewayError as error:
        return [Check("settings", passed=False, detail=error.detail, fix=error.hint or "see docs/settings.md")]


@click.group("secrets")
def secrets_group() -> None:
    """Secrets that connectors keep in the gateway."""


@secrets_group.command("rewrap")
@with_json
def rewrap_command(output: Output) -> None:
    """Put stored secrets under the key in use; exit with 1 where one cannot be opened any more."""
    done, lost = build_container(Settings()).stored_secrets.rewrap()
    output.record(
        {"rewrapped": done, "lost": lost},
        f"{done} secrets were put under the key in use; {len(lost)} cannot be opened.",
    )
    for name in lost:
        output.note(f"fault: {name}: its secret has to be given again")
    if lost:
        raise SystemExit(1)
