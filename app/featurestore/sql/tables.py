"""What is read of a feature group that SQL names: all of its columns, as its table is now."""

from dataclasses import replace
from typing import Protocol

import pyarrow as pa

from app.featurestore.feature_groups.models import ON_DEMAND, FeatureGroup
from app.featurestore.feature_groups.types import to_arrow
from app.featurestore.query.pinning import OnDemandTables
from infra.errors import QueryRefusedError
from infra.ports.engine import Table
from infra.ports.tables import TableStore


class GroupTables(Protocol):
    def __call__(self, group: FeatureGroup) -> Table:
        """The group's rows for one query."""


class StoredTables:
    """Implements `GroupTables`: snapshots of our own tables, and what `on_demand` reads from foreign databases."""

    def __init__(self, *, tables: TableStore, on_demand: OnDemandTables | None = None) -> None:
        self._tables = tables
        self._on_demand = on_demand

    def __call__(self, group: FeatureGroup) -> Table:
        if group.kind == ON_DEMAND:
            return self._foreign(group)
        # A feature that was appended is in the registry first; rows from before have nulls for it.
        schema = pa.schema([pa.field(feature.name, to_arrow(feature.type)) for feature in group.features])
        return replace(self._tables.snapshot(group.location), schema=schema)

    def _foreign(self, group: FeatureGroup) -> Table:
        if self._on_demand is None:
            raise QueryRefusedError(
                f"Feature group {group.name!r} lives in another database, which SQL does not reach.",
                hint="Read it with get_featuregroup.",
            )
        return self._on_demand.table(group, [feature.name for feature in group.features])
