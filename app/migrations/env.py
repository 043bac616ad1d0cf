"""Runs migrations on the database that the gateway's settings name."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import event

from app.featurestore.connectors import models as _connectors
from app.featurestore.expectations import models as _expectations
from app.featurestore.feature_groups import models as _feature_groups
from app.featurestore.jobs import models as _jobs
from app.featurestore.locations import models as _locations
from app.featurestore.statistics import models as _statistics
from app.featurestore.training_datasets import models as _training_datasets
from app.featurestore.vending import models as _vending
from app.featurestore.warehouses import models as _warehouses
from infra.database import idempotency as _idempotency
from infra.database.base import Base, UtcDateTime
from infra.database.engine import WRITES, open_engine
from tenancy.api_keys import models as _api_keys
from tenancy.audit import models as _audit
from tenancy.members import models as _members
from tenancy.projects import models as _projects
from tenancy.shares import models as _shares

# Importing a model makes its table known.
TABLES = (
    _connectors,
    _expectations,
    _feature_groups,
    _jobs,
    _locations,
    _statistics,
    _training_datasets,
    _vending,
    _warehouses,
    _idempotency,
    _api_keys,
    _audit,
    _members,
    _projects,
    _shares,
)
# Any number that nothing else on the server uses: two gateways must not migrate at once.
_ADVISORY_LOCK = 0x0A57


def render(kind: str, item: object, _context: object) -> str | Literal[False]:
    """A migration must not change with the code: it names SQLAlchemy's type, not ours."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def let_tables_be_rebuilt(connection: Any, _record: object) -> None:
    """SQLite changes a table by building it anew, and dropping the old one would break what points at its rows.

    Not possible inside the transaction, hence on connect; the rows are checked before it ends.
    """
    connection.execute("PRAGMA foreign_keys = OFF")


def migrate() -> None:
    engine = open_engine(context.config.attributes["url"])
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", let_tables_be_rebuilt)
    with engine.execution_options(**{WRITES: True}).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=True,
            render_item=render,
            transactional_ddl=False,
        )
        context.run_migrations()
        if connection.dialect.name == "sqlite":
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            assert not broken, f"the migration left rows that point nowhere, in {broken[0][0]}"
    engine.dispose()


migrate()
