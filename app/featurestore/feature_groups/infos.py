"""What is said of a feature group, apart from the rows of the database that say it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import pyarrow as pa

from app.featurestore.feature_groups.models import Feature, FeatureGroup
from app.featurestore.feature_groups.rules import ResolvedFeature
from app.featurestore.feature_groups.types import to_arrow
from tenancy.projects.service import feature_store_name


@dataclass(frozen=True)
class FeatureInfo:
    name: str
    type: str
    description: str
    primary: bool
    partition: bool


@dataclass(frozen=True)
class FeatureGroupInfo:
    """`table_version` is the newest commit that the database knows of; only `get` asks the table itself."""

    id: UUID
    project: str
    featurestore: str
    name: str
    version: int
    kind: str
    description: str
    primary_key: list[str]
    event_time: str | None
    partition_by: list[str]
    features: list[FeatureInfo]
    tags: dict[str, str]
    jobs: list[str]
    statistics: dict[str, Any] | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    table_version: int
    revision: int

    @classmethod
    def of(cls, group: FeatureGroup) -> "FeatureGroupInfo":
        return cls(
            id=group.id,
            project=group.project.name,
            featurestore=feature_store_name(group.project.name),
            name=group.name,
            version=group.version,
            kind=group.kind,
            description=group.description,
            primary_key=group.primary_key,
            event_time=group.event_time,
            partition_by=group.partition_by,
            features=[
                FeatureInfo(
                    feature.name,
                    feature.type,
                    feature.description,
                    feature.key_position is not None,
                    feature.partition_position is not None,
                )
                for feature in group.features
            ],
            tags={tag.name: tag.value for tag in group.tags},
            jobs=group.jobs,
            statistics=group.statistics,
            created_at=group.created_at,
            created_by=group.created_by,
            updated_at=group.updated_at,
            table_version=group.table_version,
            revision=group.revision,
        )


def group_schema(features: Sequence[Feature | ResolvedFeature]) -> pa.Schema:
    """The Arrow schema of a group, in the order of its features."""
    return pa.schema([pa.field(feature.name, to_arrow(feature.type)) for feature in features])
