"""What `oast doctor` looks at, and how to mend it."""

import os
import re
from dataclasses import dataclass

from app.container import Container
from app.readiness import find_schema_fault, needed_revision
from app.server import require_safe_listener
from app.settings import Settings
from app.variables import unknown_variables
from infra.errors import GatewayError

_MEMORY = re.compile(r"\d+(\.\d+)?\s?([KMGT]i?B|%)", re.IGNORECASE)


@dataclass(frozen=True)
class Check:
    name: str
    passed: bool
    detail: str
    fix: str = ""


def run_checks(container: Container) -> list[Check]:
    """What `oast serve` insists on."""
    return [
        *setting_checks(container.settings),
        program_check(container),
        pepper_check(container.settings),
        database_check(container),
        warehouse_check(container),
        *cluster_checks(container),
    ]


def setting_checks(settings: Settings) -> list[Check]:
    """Of what needs no other part."""
    return [_settings_check(), _listener_check(settings), _limits_check(settings), _login_check(settings)]


def pepper_check(settings: Settings) -> Check:
    """Without a usable one there is no container, and this is not reached."""
    return Check("pepper", passed=True, detail="a secret" if settings.pepper else str(settings.resolved_pepper_file))


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


def _login_check(settings: Settings) -> Check:
    login = settings.login
    if login.server_id is None:
        return Check("login", passed=True, detail="none for AWS roles; OAST_LOGIN__SERVER_ID is not set")
    return Check(
        "login", passed=True, detail=f"AWS roles, as {login.server_id}, {', '.join(sorted(login.listed_regions))}"
    )


def program_check(container: Container) -> Check:
    # A file that is not valid ends every command before this.
    path, count = container.settings.jobs.programs, container.programs.count
    return Check("programs", passed=True, detail=f"{path}: {count}" if path else "none; OAST_JOBS__PROGRAMS is not set")


def database_check(container: Container) -> Check:
    url = container.database.engine.url.render_as_string(hide_password=True)
    fault = find_schema_fault(container.database.engine)
    if fault:
        return Check("database", passed=False, detail=f"{url}: {fault}", fix=_database_fix(fault))
    dialect = container.database.engine.dialect
    version = ".".join(map(str, dialect.server_version_info or ()))
    return Check("database", passed=True, detail=f"{url}: {dialect.name} {version}, revision {needed_revision()}")


def warehouse_check(container: Container) -> Check:
    url = container.settings.resolved_warehouse_url
    try:
        container.store.probe()
    except GatewayError as error:
        return Check(
            "warehouse", passed=False, detail=f"{url}: {error.detail}", fix=error.hint or "check OAST_WAREHOUSE__…"
        )
    return Check("warehouse", passed=True, detail=f"{url}: writes, and refuses a second create of one object")


def cluster_checks(container: Container) -> list[Check]:
    """None where the operator has no cluster."""
    if container.cluster is None:
        return []
    try:
        version = container.cluster.version()
    except GatewayError as error:
        return [Check("spark", passed=False, detail=error.detail, fix=error.hint or "mend OAST_SPARK__REMOTE")]
    return [Check("spark", passed=True, detail=f"Spark {version} answers")]


def prove_vending(container: Container) -> str | None:
    """Looks at the store where that is due; what speaks against giving out credentials, without which a gateway serves, too."""
    try:
        proof = container.vending_proofs.renew()
    except GatewayError as error:
        return f"No credentials are given out for now: {error.detail}"
    return f"No credentials are given out. {proof.why}" if proof is not None and not proof.passed else None


def vending_checks(container: Container) -> list[Check]:
    """Looks anew; none where the operator has no role for it. Apart from the others: a gateway serves without it."""
    role = container.settings.vending.role
    if role is None:
        return []
    try:
        proof = container.vending_proofs.check()
    except GatewayError as error:
        return [Check("vending", passed=False, detail=error.detail, fix=error.hint or "check OAST_VENDING__…")]
    if not proof.passed:
        return [Check("vending", passed=False, detail=f"it is off. {proof.why}", fix="unset OAST_VENDING__ROLE")]
    counted = [check for check in proof.checks if check.counts]
    others = "; ".join(f"{check.name}: no" for check in proof.checks if not check.counts and not check.passed)
    detail = f"{role}: credentials hold to their table in {len(counted)} of {len(counted)} attempts"
    return [Check("vending", passed=True, detail=f"{detail} ({others})" if others else detail)]


def _database_fix(fault: str) -> str:
    return "oast db upgrade" if "oast db upgrade" in fault else "start it, or mend OAST_DATABASE_URL"
