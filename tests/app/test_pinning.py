"""Groups whose rows are in a foreign database, beside groups of ours."""

from typing import Any

import pyarrow as pa
import pytest

from app.featurestore.feature_groups.models import ON_DEMAND, FeatureGroup
from app.featurestore.query.expression import CatalogGroup, FeatureExpression
from app.featurestore.query.pinning import Pinning
from app.featurestore.query.planner import plan
from infra.errors import InvalidInputError
from infra.ports.engine import WRITE_ORDER, Rows
from infra.storage.location import Warehouse
from infra.tables.delta import DeltaTableStore
from tests.app.catalogs import ask, attach, catalog, group

PRICES = group("prices", "price", team_id="bigint", price="double")
MATCHES = group(
    "matches",
    "goals",
    key=("match_id",),
    match_id="bigint",
    team_id="bigint",
    goals="int",
    at="timestamp",
    event_time="at",
)
TEAMS = group("teams", "budget", team_id="bigint", budget="double", updated="timestamp", event_time="updated")
GROUPS = (PRICES, MATCHES, TEAMS)


class FixedRows:
    """Implements `OnDemandTables`: a database in which nothing changes."""

    def table(self, group: FeatureGroup, columns: list[str]) -> Rows:
        assert group.kind == ON_DEMAND
        rows = pa.table({name: list(range(3000)) for name in columns})
        return Rows(rows.schema, lambda: pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches(1000)))


def schema_of(described: CatalogGroup) -> pa.Schema:
    kinds = {"bigint": pa.int64(), "int": pa.int32(), "double": pa.float64(), "timestamp": pa.timestamp("us", "UTC")}
    return pa.schema([(name, kinds[kind]) for name, kind in described.features.items()])


@pytest.fixture
def pin(local_warehouse: Warehouse) -> Any:
    """Plans an expression and pins all of it; only `teams` are a table of ours."""
    tables = DeltaTableStore(local_warehouse)
    tables.create("teams", schema_of(TEAMS), partition_by=(), rows=None)
    registered = {
        each.id: FeatureGroup(kind="CACHED" if each is TEAMS else ON_DEMAND, location=each.name) for each in GROUPS
    }
    pinning = Pinning(tables, FixedRows(), registered)

    def pin(expression: FeatureExpression) -> tuple[Any, list[Any]]:
        made = plan(expression, catalog(*GROUPS))
        labels = pinning.labels(made, None)
        return labels, [pinning.source(source, made, labels) for source in made.sources]

    return pin


def test_their_rows_are_read_at_their_source(pin: Any) -> None:
    labels, (pinned, ours) = pin(ask("price", "budget"))
    assert labels is None
    assert (pinned.version, pinned.files, pinned.files_read, pinned.bytes_of(2)) == (None, 0, 0, None)
    assert pinned.table.schema.names == ["team_id", "price"]
    assert (ours.version, ours.files) == (0, 0)


def test_they_are_numbered_where_labels_take_the_last_of_them(pin: Any) -> None:
    labels, (pinned,) = pin(attach("price", to={"team_id": "bigint"}))
    assert (labels.count, labels.bounds, labels.version) == (None, None, None)
    assert pinned.table.schema.names == ["team_id", "price", WRITE_ORDER]
    for _ in range(2):
        table = pinned.table.batches().read_all()
        assert table.schema == pinned.table.schema
        assert table[WRITE_ORDER].to_pylist() == list(range(3000))


def test_they_may_be_the_labels(pin: Any) -> None:
    labels, (pinned,) = pin(attach("budget", to="matches", given_back=("match_id",)))
    assert labels.table.schema.names == ["match_id", "team_id", "at", WRITE_ORDER]
    assert (labels.count, labels.bounds, labels.version) == (None, None, None), "nobody counted them"
    assert pinned.version == 0


def test_labels_may_be_theirs_and_what_was_known_ours(pin: Any) -> None:
    labels, (pinned,) = pin(attach("budget", to="matches", as_known=True))
    assert (labels.count, pinned.version) == (None, 0)


@pytest.mark.parametrize(
    "expression",
    [
        ask("price", as_of=0),
        attach("price", to={"team_id": "bigint", "at": "timestamp"}, at="at", as_known=True),
        attach("budget", to="matches", as_of={"matches": 1}),
    ],
)
def test_they_have_no_past(pin: Any, expression: FeatureExpression) -> None:
    with pytest.raises(InvalidInputError, match=r"(prices|matches)_1 is read from its source as that is now"):
        pin(expression)
