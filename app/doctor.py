"""`oast doctor`: every part looked at, each in bounded time, and what one of them hides from the others said as such."""

import tempfile
from collections.abc import Callable, Generator, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from app.bootstrap import build_container
from app.checks import (
    Check,
    cluster_checks,
    database_check,
    pepper_check,
    program_check,
    setting_checks,
    vending_checks,
    warehouse_check,
)
from app.clocks import aws_clock_checks, database_clock_checks
from app.container import Container
from app.own_secrets import connector_secret_checks, own_secret_checks
from app.settings import PREFIX, Settings
from app.standing import files_check, room_check, worker_check
from app.warehouses import commit_checks, project_warehouse_checks
from infra.crypto import Pepper, PepperUnusableError
from infra.errors import GatewayError
from infra.ports.executors import ProgramsNotValidError

_DATABASE: Final = frozenset({f"{PREFIX}DATABASE_URL", f"{PREFIX}DATABASE_PASSWORD"})
_WAREHOUSE: Final = frozenset({f"{PREFIX}WAREHOUSE__SECRET_ACCESS_KEY", f"{PREFIX}WAREHOUSE__SESSION_TOKEN"})
_PEPPER: Final = f"{PREFIX}PEPPER"
_SPARK: Final = f"{PREFIX}SPARK__REMOTE"
_SEALING: Final = frozenset({f"{PREFIX}SECRETS__KEY", f"{PREFIX}SECRETS__OLD_KEY"})


def examine(settings: Settings) -> list[Check]:
    own = own_secret_checks(settings)
    unread = {variable for variable, check in own.items() if not check.passed}
    checks = [*setting_checks(settings), *own.values(), *aws_clock_checks(settings), room_check(settings)]
    try:
        with _container(settings, unread) as container:
            return [*checks, *_part_checks(container, unread)]
    except PepperUnusableError as error:
        fault = Check("pepper", passed=False, detail=error.detail, fix=error.hint or "")
    except ProgramsNotValidError as error:
        fault = Check("programs", passed=False, detail=error.detail, fix=error.hint or "see docs/jobs.md")
    except GatewayError as error:
        fault = Check("settings", passed=False, detail=error.detail, fix=error.hint or "see docs/settings.md")
    # One check of a name: what the container finds wrong with the settings is worse than what they look like.
    return [*(check for check in checks if check.name != fault.name), fault]


def _part_checks(container: Container, unread: AbstractSet[str]) -> Iterator[Check]:
    yield program_check(container)
    if _PEPPER not in unread:
        yield pepper_check(container.settings)
    has_database = yield from _after("database", unread & _DATABASE, database_check, container, _ON_DATABASE)
    has_warehouse = yield from _after("warehouse", unread & _WAREHOUSE, warehouse_check, container, _ON_WAREHOUSE)
    if has_database and has_warehouse:
        for look in _ON_BOTH:
            yield from look(container)
    if _SPARK not in unread:
        yield from cluster_checks(container)


_Look = Callable[[Container], list[Check]]
_ON_DATABASE: Final[tuple[_Look, ...]] = (
    database_clock_checks,
    connector_secret_checks,
    lambda container: [worker_check(container)],
    project_warehouse_checks,
)
_ON_WAREHOUSE: Final[tuple[_Look, ...]] = (lambda container: [files_check(container)],)
# What they find they keep for those who serve.
_ON_BOTH: Final[tuple[_Look, ...]] = (commit_checks, vending_checks)


def _after(
    name: str,
    unread: AbstractSet[str],
    first: Callable[[Container], Check],
    container: Container,
    others: tuple[_Look, ...],
) -> Generator[Check, None, bool]:
    """Whether `first` passed. `others` need what it looks at: each would wait for the same silence and say the same again."""
    if unread:
        fix = "mend that secret first; nothing that needs it was looked at"
        yield Check(name, passed=False, detail=f"not looked at without {', '.join(sorted(unread))}", fix=fix)
        return False
    found = first(container)
    yield found
    if found.passed:
        for look in others:
            yield from look(container)
    return found.passed


@contextmanager
def _container(settings: Settings, unread: AbstractSet[str]) -> Iterator[Container]:
    """Without the secrets that cannot be read. Nothing here is asked for a key, so any pepper does in place of the gateway's."""
    with tempfile.TemporaryDirectory(prefix="oasthouse-doctor-") as directory:
        container = build_container(_without(settings, unread, Path(directory) / "pepper"))
        try:
            yield container
        finally:
            container.database.engine.dispose()


def _without(settings: Settings, unread: AbstractSet[str], pepper: Path) -> Settings:
    changes: dict[str, Any] = {}
    if _PEPPER in unread:
        Pepper.create(pepper)
        changes |= {"pepper": None, "pepper_file": pepper}
    if unread & _DATABASE:
        changes |= {"database_url": None, "database_password": None}
    if unread & _WAREHOUSE:
        keys = {"access_key_id": None, "secret_access_key": None, "session_token": None}
        changes["warehouse"] = settings.warehouse.model_copy(update=keys)
    if _SPARK in unread:
        changes["spark"] = settings.spark.model_copy(update={"remote": None})
    if unread & _SEALING:
        none = {"stored": False, "key": None, "old_key": None}
        changes["secrets"] = settings.secrets.model_copy(update=none)
    return settings.model_copy(update=changes)
