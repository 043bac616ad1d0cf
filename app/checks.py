"""What `oast doctor` looks at, and how to mend it."""

import os
import re
from dataclasses import dataclass

from app.container import Container
from app.readiness import find_schema_fault
from app.server import require_safe_listener
from app.settings import Settings, unknown_variables
from infra.errors import GatewayError

_MEMORY = re.compile(r"\d+(\.\d+)?\s?([KMGT]i?B|%)", re.IGNORECASE)


@dataclass(frozen=True)
class Check:
    name: str
    passed: bool
    detail: str
    fix: str = ""


def run_checks(container: Container) -> list[Check]:
    """Reaching here means that the settings are valid and the pepper is usable."""
    settings = container.settings
    return [
        _settings_check(),
        _listener_check(settings),
        _limits_check(settings),
        _programs_check(container),
        Check("pepper", passed=True, detail="a secret" if settings.pepper else str(settings.resolved_pepper_file)),
        _database_check(container),
        _warehouse_check(container),
        *_cluster_checks(container),
    ]


def _settings_check() -> Check:
    unknown = unknown_variables()
    if unknown:
        return Check(
            "settings", passed=False, detail=f"no such setting: {', '.join(unknown)}", fix="see docs/settings.md"
        )
    return Check("settings", passed=True, detail="every OAST_ variable names a setting")


def _listener_check(settings: Settings) -> Check:
    server = settings.server
    try:
        require_safe_listener(server)
    except GatewayError as error:
        return Check("listener", passed=False, detail=error.detail, fix=error.hint or "see docs/serving.md")
    missing = [str(path) for path in (server.certfile, server.keyfile) if path and not path.is_file()]
    if missing:
        return Check("listener", passed=False, detail=f"no such file: {', '.join(missing)}", fix="mend OAST_SERVER__…")
    return Check("listener", passed=True, detail=f"{server.host}:{server.port}")


def _limits_check(settings: Settings) -> Check:
    spool = settings.uploads.spool_dir
    if spool and not os.access(spool, os.W_OK):
        return Check("limits", passed=False, detail=f"{spool} cannot be written", fix="mend OAST_UPLOADS__SPOOL_DIR")
    if not _MEMORY.fullmatch(settings.engine.memory_limit):
        detail = f"{settings.engine.memory_limit!r} is no amount of memory"
        return Check("limits", passed=False, detail=detail, fix="OAST_ENGINE__MEMORY_LIMIT takes e.g. 1GB or 512MB")
    return Check(
        "limits", passed=True, detail=f"{settings.engine.slots} queries of {settings.engine.memory_limit} at once"
    )


def _programs_check(container: Container) -> Check:
    # A file that is not valid ends every command before this.
    path, count = container.settings.jobs.programs, container.programs.count
    return Check("programs", passed=True, detail=f"{path}: {count}" if path else "none; OAST_JOBS__PROGRAMS is not set")


def _database_check(container: Container) -> Check:
    url = container.database.engine.url.render_as_string(hide_password=True)
    fault = find_schema_fault(container.database.engine)
    if fault:
        return Check("database", passed=False, detail=f"{url}: {fault}", fix=_database_fix(fault))
    return Check("database", passed=True, detail=url)


def _warehouse_check(container: Container) -> Check:
    url = container.settings.resolved_warehouse_url
    try:
        container.store.probe()
    except GatewayError as error:
        return Check(
            "warehouse", passed=False, detail=f"{url}: {error.detail}", fix=error.hint or "check OAST_WAREHOUSE__…"
        )
    return Check("warehouse", passed=True, detail=f"{url}: writes, and refuses a second create of one object")


def _cluster_checks(container: Container) -> list[Check]:
    """None where the operator has no cluster."""
    if container.cluster is None:
        return []
    try:
        version = container.cluster.version()
    except GatewayError as error:
        return [Check("spark", passed=False, detail=error.detail, fix=error.hint or "mend OAST_SPARK__REMOTE")]
    return [Check("spark", passed=True, detail=f"Spark {version} answers")]


def _database_fix(fault: str) -> str:
    return "oast db upgrade" if "oast db upgrade" in fault else "start it, or mend OAST_DATABASE_URL"
