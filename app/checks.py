"""What `oast doctor` looks at, and how to mend it."""

from dataclasses import dataclass

from app.container import Container
from app.readiness import find_schema_fault
from app.settings import unknown_variables
from infra.errors import GatewayError


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
        Check("pepper", passed=True, detail=str(settings.resolved_pepper_file)),
        _database_check(container),
        _warehouse_check(container),
    ]


def _settings_check() -> Check:
    unknown = unknown_variables()
    if unknown:
        return Check(
            "settings", passed=False, detail=f"no such setting: {', '.join(unknown)}", fix="see docs/settings.md"
        )
    return Check("settings", passed=True, detail="every OAST_ variable names a setting")


def _database_check(container: Container) -> Check:
    url = container.database.engine.url.render_as_string(hide_password=True)
    fault = find_schema_fault(container.database.engine)
    if fault:
        return Check("database", passed=False, detail=f"{url}: {fault}", fix="oast db upgrade")
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
