"""What is asked for, and what there is to answer it from. Values only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

AsOf: TypeAlias = int | datetime
"""A state of a table: a version of its own, or what it was at a moment."""


@dataclass(frozen=True)
class JoinSpec:
    """How one group is to be joined; what is left out is found out.

    `left_on` are columns of the labels, of the first group or of one joined before; `right_on` are the group's own, and
    the same names where left out. `lookback` replaces that of the expression.
    """

    left_on: tuple[str, ...] = ()
    right_on: tuple[str, ...] = ()
    how: str | None = None
    prefix: str = ""
    lookback: int | None = None


@dataclass(frozen=True)
class LabelsSpec:
    """The rows that features are attached to.

    `columns` maps all of them to Hive types; "void" is the type of a column of nulls. `given_back` None: all. With
    `feature_group` the labels are its rows, and `columns` is empty.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    event_time: str | None = None
    given_back: tuple[str, ...] | None = None
    feature_group: str | None = None


@dataclass(frozen=True)
class FeatureExpression:
    """Features by name: `feature`, `group.feature`, `group_version.feature` or `store.group_version.feature`.

    `feature_group_versions` non-empty limits the search to these groups in these versions, as in the original clients.
    `joins` and a mapping `as_of` go by the name of a group, with or without version and store. `lookback` is in
    microseconds, or in units of the event time where that is a BIGINT.
    """

    features: tuple[str, ...]
    featurestore: str | None = None
    feature_group: str | None = None
    version: int | None = None
    feature_group_versions: Mapping[str, int] = field(default_factory=dict)
    join_key: tuple[str, ...] = ()
    join_type: str | None = None
    joins: Mapping[str, JoinSpec] = field(default_factory=dict)
    labels: LabelsSpec | None = None
    lookback: int | None = None
    as_known: bool = False
    as_of: AsOf | Mapping[str, AsOf] | None = None


@dataclass(frozen=True)
class CatalogGroup:
    """A group as the planner sees it. `grant` is what lets the caller read it."""

    id: UUID
    project: str
    featurestore: str
    name: str
    version: int
    features: Mapping[str, str]
    primary_key: tuple[str, ...]
    grant: str
    is_own: bool
    event_time: str | None = None

    @property
    def label(self) -> str:
        """How the group is called where several stores are in play."""
        return f"{self.featurestore}.{self.name}_{self.version}"

    def is_called(self, name: str) -> bool:
        """Whether `name`, with or without version and store, means this group."""
        short = f"{self.name}_{self.version}"
        return name in (self.name, short, f"{self.featurestore}.{self.name}", self.label)


@dataclass(frozen=True)
class CatalogSnapshot:
    """Every group that the caller may read, the caller's own project first. What is not in here does not exist."""

    groups: Sequence[CatalogGroup]
    feature_stores: Sequence[str]
