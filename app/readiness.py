"""What the gateway needs before it can serve."""

from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.container import Container
from infra.errors import GatewayError

MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True)
class Fault:
    """`what` is broken, `reason` for the operator's log only."""

    what: str
    reason: str


def migration_config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    return config


def find_faults(container: Container) -> list[Fault]:
    faults = []
    schema = find_schema_fault(container.database.engine)
    if schema:
        faults.append(Fault("database", schema))
    try:
        container.store.probe()
    except GatewayError as error:
        faults.append(Fault("warehouse", error.detail))
    return faults


def find_schema_fault(engine: Engine) -> str | None:
    """Why this code cannot work on that database, or None."""
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        return f"The database does not answer: {type(error).__name__}."
    head = needed_revision()
    if current != head:
        return f"The database is at revision {current}, this gateway needs {head}. Run `oast db upgrade`."
    return None


def needed_revision() -> str | None:
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()
