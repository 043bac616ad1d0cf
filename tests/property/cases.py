"""Questions about labels and groups, and worlds to answer them from.

Worlds of one question know nothing of each other: where there are several, all are asked at once, and a column `world` of
labels and groups, which is part of every key, keeps them apart.
"""

from dataclasses import dataclass, replace
from functools import cache
from math import inf, nan
from typing import Any, Final, TypeAlias
from uuid import UUID

import pyarrow as pa

from app.featurestore.feature_groups.types import to_arrow
from app.featurestore.query.expression import CatalogGroup, CatalogSnapshot, FeatureExpression, JoinSpec
from infra.ports.engine import REMOVED_AT, WRITE_ORDER, WRITTEN_AT
from tests.property.brute_force import Label, Row
from tests.property.times import GROUP_TIMES, MOMENT, KeyType, TimeType, as_array

Rows: TypeAlias = tuple[Row, ...]
_FEATURES: Final = {"x": "double", "s": "string", "m": "bigint"}
_VALUES: Final = {"x": (1.5, None, nan, -0.0, inf, 0.0), "s": ("a", "", None), "m": (7, None, -(2**63))}
arrow_type = cache(to_arrow)


@dataclass(frozen=True)
class Group:
    """`keys` says which of the labels' keys are those of the group, called `names` there."""

    catalog: CatalogGroup
    keys: tuple[int, ...]
    names: tuple[str, ...]

    @property
    def time(self) -> TimeType | None:
        event_time = self.catalog.event_time
        return None if event_time is None else GROUP_TIMES[self.catalog.features[event_time]]

    def cells(self, row: Row) -> dict[str, Any]:
        """All columns of a row. What it holds besides keys and time follows from when it was written."""
        at = None if self.time is None or row.time is None else self.time.floored(row.time)
        values = {name: of_type[row.order % len(of_type)] for name, of_type in _VALUES.items()}
        return {**dict(zip(self.names, row.key, strict=True)), "at": at, **values}


def group(
    name: str, time: str | None, keys: tuple[int, ...], types: dict[str, str], *, time_is_key: bool = False
) -> Group:
    """`types` are those of its keys, by their names."""
    times = {} if time is None else {"at": time}
    catalog = CatalogGroup(
        id=UUID(int=ord(name)),
        project="own",
        featurestore="own_featurestore",
        name=name,
        version=1,
        features={**types, **times, **_FEATURES},
        primary_key=(*types, "at") if times and time_is_key else tuple(types),
        grant="own project",
        is_own=True,
        event_time="at" if times else None,
    )
    return Group(catalog, keys, tuple(types))


@dataclass(frozen=True)
class Question:
    """`label_types` are those of the columns k0, k1, … and t of the labels."""

    key_types: tuple[KeyType, ...]
    label_types: tuple[pa.DataType, ...]
    time: TimeType
    groups: tuple[Group, ...]
    expression: FeatureExpression

    def lookback(self, group: Group) -> int | None:
        spec = self.expression.joins.get(group.catalog.name, JoinSpec())
        return self.expression.lookback if spec.lookback is None else spec.lookback

    def rules(self, group: Group) -> dict[str, Any]:
        return {
            "timed": group.time is not None,
            "lookback": self.lookback(group),
            "as_known": self.expression.as_known,
        }


@dataclass(frozen=True)
class World:
    """`labels` as sent: keys and then a time in the labels' own type. `rows` are those of each group, as they lie there."""

    labels: tuple[tuple[Any, ...], ...]
    rows: tuple[Rows, ...]

    def labels_of(self, question: Question, group: Group) -> list[Label]:
        return [
            Label(tuple(label[each] for each in group.keys), question.time.moment(label[-1])) for label in self.labels
        ]


@dataclass(frozen=True)
class Case:
    question: Question
    worlds: tuple[World, ...]

    @property
    def expression(self) -> FeatureExpression:
        asked = self.question.expression
        if not self.is_shared:
            return asked
        joins = {}
        for each in self.question.groups:
            spec = asked.joins[each.catalog.name]
            left_on, right_on = spec.left_on or each.names, spec.right_on or each.names
            joins[each.catalog.name] = replace(spec, left_on=("world", *left_on), right_on=("world", *right_on))
        return replace(asked, joins=joins)

    @property
    def is_shared(self) -> bool:
        return len(self.worlds) > 1

    @property
    def catalog(self) -> CatalogSnapshot:
        world = {"world": "int"} if self.is_shared else {}
        groups = [group.catalog for group in self.question.groups]
        return CatalogSnapshot(
            [replace(group, features={**world, **group.features}) for group in groups], ["own_featurestore"]
        )

    @property
    def frame(self) -> pa.Table:
        """The labels of all worlds, one world after the other."""
        labels = [label for world in self.worlds for label in world.labels]
        types = (*self.question.label_types, self.question.time.arrow)
        names = [f"k{index}" for index in range(len(types) - 1)] + ["t"]
        columns = {
            name: as_array([label[index] for label in labels], kind)
            for index, (name, kind) in enumerate(zip(names, types, strict=True))
        }
        numbers = [index for index, world in enumerate(self.worlds) for _ in world.labels]
        columns["world"] = pa.array(numbers, pa.int16())
        columns["n"] = pa.array(range(len(labels)), pa.int32())
        # Of a type that no feature has, and not needed.
        columns["odd"] = pa.nulls(len(labels), pa.duration("s"))
        return pa.table(columns)

    def table(self, position: int) -> pa.Table:
        """A group's rows of all worlds, with the hidden columns. What was written when says nothing about where it lies."""
        group = self.question.groups[position]
        rows = [row for world in self.worlds for row in world.rows[position]]
        cells = [group.cells(row) for row in rows]
        columns = {
            name: as_array([each[name] for each in cells], arrow_type(kind))
            for name, kind in group.catalog.features.items()
        }
        numbers = [index for index, world in enumerate(self.worlds) for _ in world.rows[position]]
        columns["world"] = pa.array(numbers, pa.int32())
        # Orders of different worlds must differ as well: they are one table's.
        orders = [world + 64 * row.order for world, row in zip(numbers, rows, strict=True)]
        columns[WRITE_ORDER] = pa.array(orders, pa.int64())
        columns[WRITTEN_AT] = as_array([row.written for row in rows], MOMENT)
        columns[REMOVED_AT] = as_array([row.removed for row in rows], MOMENT)
        return pa.table(columns)
