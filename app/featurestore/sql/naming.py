"""Which feature group a table's name means. Pure; of what the caller may not read it knows nothing."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from app.featurestore.feature_groups.errors import FeatureGroupNotFoundError
from app.featurestore.query.errors import FeatureStoreNotFoundError
from app.featurestore.sql.statement import TableRef

# The last number is the version: `sales_2024_1` is version 1 of `sales_2024`.
_TABLE = re.compile(r"([a-z][a-z0-9_]{0,62})_([1-9][0-9]{0,9})", re.ASCII)
_LARGEST_VERSION = 2_000_000_000
_MOST_CANDIDATES = 8


@dataclass(frozen=True, order=True)
class ReadableTable:
    """A feature group that the caller may read."""

    store: str
    group: str
    version: int

    @property
    def name(self) -> str:
        return f"{self.group}_{self.version}"


def group_and_version(table: str) -> tuple[str, int] | None:
    """None for what can be no table's name."""
    match = _TABLE.fullmatch(table)
    if match is None or int(match[2]) > _LARGEST_VERSION:
        return None
    return match[1], int(match[2])


def unknown_store(store: str, stores: Sequence[str]) -> FeatureStoreNotFoundError:
    """The same whether there is no such feature store or the caller may not know of it; `stores` are those it may."""
    return FeatureStoreNotFoundError(
        f"There is no feature store {store[:80]!r} that this key can read.", candidates=stores[:_MOST_CANDIDATES]
    )


def unknown_table(ref: TableRef, store: str, known: Sequence[ReadableTable]) -> FeatureGroupNotFoundError:
    """The same whether there is no such group or the caller may not know of it; `known` are all that it may read."""
    here = [table.name for table in known if table.store == store]
    candidates = list(dict.fromkeys(_candidates(ref, store, known))) or get_close_matches(ref.name, here, n=5)
    return FeatureGroupNotFoundError(
        f"There is no table {ref.name[:80]!r} in the feature store {store!r}.",
        candidates=candidates[:_MOST_CANDIDATES],
        hint="A table is called group_version, or featurestore.group_version for one of another project.",
    )


def _candidates(ref: TableRef, store: str, known: Sequence[ReadableTable]) -> Iterator[str]:
    """The same name elsewhere, then other versions."""
    yield from (_called(table, store) for table in known if table.name == ref.name)
    named = group_and_version(ref.name)
    groups = {ref.name, named[0] if named else ref.name}
    versions = [table for table in known if table.group in groups]
    yield from (_called(table, store) for table in sorted(versions, key=lambda table: (table.store != store, table)))


def _called(table: ReadableTable, store: str) -> str:
    return table.name if table.store == store else f"{table.store}.{table.name}"
