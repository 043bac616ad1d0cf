"""What a plan is made of. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.featurestore.query.expression import AsOf, CatalogGroup

LABELS: Final = -1
"""Stands where the index of a source stands, and means the labels."""


@dataclass(frozen=True)
class Column:
    """An output column: `feature` of the source with index `source`, called `name`."""

    name: str
    source: int
    type: str
    feature: str


@dataclass(frozen=True)
class KeyPair:
    """`left`, a column of the source `left_source`, must equal `right`, a column of the source that is joined."""

    left_source: int
    left: str
    right: str


@dataclass(frozen=True)
class Source:
    """A group that is read; `columns` are all that is needed of it. `on` is empty for the first of a plan without labels.

    In a plan with labels every source is attached at most once to each label, whatever `how` says. `lookback` is in
    microseconds, or in units of the event time where that is a BIGINT.
    """

    group: CatalogGroup
    columns: tuple[str, ...]
    why: str
    on: tuple[KeyPair, ...] = ()
    how: str = "inner"
    lookback: int | None = None
    as_of: AsOf | None = None


@dataclass(frozen=True)
class Labels:
    """The rows of the answer. `columns` are all that is read of them, by Hive type; `group` where they are a group's.

    `asked` are requested names that the labels have themselves.
    """

    columns: Mapping[str, str]
    event_time: str | None
    given_back: tuple[str, ...]
    asked: tuple[str, ...] = ()
    group: CatalogGroup | None = None
    as_of: AsOf | None = None
    as_known: bool = False


@dataclass(frozen=True)
class LogicalPlan:
    """Sources joined one after the other, or each attached to `labels`, then projected to `columns` in order."""

    sources: tuple[Source, ...]
    columns: tuple[Column, ...]
    labels: Labels | None = None

    def wanted(self, index: int) -> list[str]:
        """The distinct features of one source that the answer has."""
        return list(dict.fromkeys(each.feature for each in self.columns if each.source == index))

    def join_type_of(self, source: Source) -> str | None:
        """None for what is joined to nothing."""
        if not source.on:
            return None
        return source.how if self.labels is None else "left"

    def needed_of_labels(self, labels: Labels) -> list[str]:
        """The columns of the labels that the plan cannot do without; others are at most given back."""
        keys = [pair.left for source in self.sources for pair in source.on]
        times = [labels.event_time] if labels.event_time is not None else []
        return list(dict.fromkeys([*keys, *times, *labels.asked]))

    @property
    def join_key(self) -> tuple[str, ...]:
        """The columns that every source is joined on, under one name; empty where they differ or nothing is joined."""
        keys = {
            tuple(pair.right for pair in source.on if pair.left == pair.right) for source in self.sources if source.on
        }
        pairs = {len(source.on) for source in self.sources if source.on}
        key = keys.pop() if len(keys) == 1 else ()
        return key if pairs == {len(key)} else ()

    @property
    def join_type(self) -> str:
        """`left` where the plan has labels or every join is left, `inner` where every join is inner, else `mixed`."""
        if self.labels is not None:
            return "left"
        kinds = {source.how for source in self.sources if source.on}
        return kinds.pop() if len(kinds) == 1 else "mixed" if kinds else "inner"
