"""What is asked for, and what there is to answer it from. Values only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True)
class FeatureExpression:
    """Features by name: `feature`, `group.feature`, `group_version.feature` or `store.group_version.feature`.

    `feature_group_versions` non-empty limits the search to these groups in these versions, as in the original clients.
    """

    features: tuple[str, ...]
    featurestore: str | None = None
    feature_group: str | None = None
    version: int | None = None
    feature_group_versions: Mapping[str, int] = field(default_factory=dict)
    join_key: tuple[str, ...] = ()


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

    @property
    def label(self) -> str:
        """How the group is called where several stores are in play."""
        return f"{self.featurestore}.{self.name}_{self.version}"


@dataclass(frozen=True)
class CatalogSnapshot:
    """Every group that the caller may read, the caller's own project first. What is not in here does not exist."""

    groups: Sequence[CatalogGroup]
    feature_stores: Sequence[str]
