"""What making a feature group is, wherever its rows come to lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.featurestore.feature_groups.errors import FeatureGroupExistsError, OnDemandFeatureGroupError
from app.featurestore.feature_groups.models import CACHED, Feature, FeatureGroup, Tag
from app.featurestore.feature_groups.repository import FeatureGroupRepository
from app.featurestore.feature_groups.rules import GroupSpec, ResolvedFeature, require_version
from infra.ids import IdFactory
from tenancy.names import require_name


@dataclass(frozen=True)
class Registration:
    """Who makes a group in which project, when. `location` is empty for a group without a table."""

    project_id: UUID
    created_by: str
    created_at: datetime
    location: str = ""
    kind: str = CACHED


def require_valid_names(spec: GroupSpec) -> None:
    require_name(spec.name, "feature group")
    require_version(spec.version)
    for tag in spec.tags:
        require_name(tag, "tag")


def require_free(session: Session, project_id: UUID, spec: GroupSpec) -> None:
    """Raises FeatureGroupExistsError naming the next version."""
    taken = FeatureGroupRepository(session).of_project(project_id, spec.name)
    versions = sorted(group.version for group in session.scalars(taken))
    if spec.version in versions:
        raise exists(spec.name, spec.version, versions[-1])


def new_group(
    registration: Registration, spec: GroupSpec, features: Sequence[ResolvedFeature], ids: IdFactory
) -> FeatureGroup:
    keys, parts = spec.primary_key or (), spec.partition_by
    return FeatureGroup(
        id=ids(),
        project_id=registration.project_id,
        name=spec.name,
        version=spec.version,
        kind=registration.kind,
        description=spec.description,
        location=registration.location,
        event_time=spec.event_time,
        jobs=list(spec.jobs),
        statistics=spec.statistics,
        expectations=spec.expectations,
        created_at=registration.created_at,
        created_by=registration.created_by,
        updated_at=registration.created_at,
        table_version=0,
        tags=[Tag(name=name, value=value) for name, value in sorted(spec.tags.items())],
        features=[
            Feature(
                id=ids(),
                position=position,
                name=feature.name,
                type=feature.type,
                description=feature.description,
                key_position=keys.index(feature.name) if feature.name in keys else None,
                partition_position=parts.index(feature.name) if feature.name in parts else None,
            )
            for position, feature in enumerate(features)
        ],
    )


def exists(name: str, version: int, latest: int) -> FeatureGroupExistsError:
    return FeatureGroupExistsError(
        f"Feature group {name!r} has a version {version} already.",
        hint=f"Create version {latest + 1}, insert into the existing one, or delete it first.",
    )


def require_stored(group: FeatureGroup) -> FeatureGroup:
    """Raises OnDemandFeatureGroupError for a group whose rows are elsewhere: it has no table, no commits, no partitions."""
    if group.kind != CACHED:
        raise OnDemandFeatureGroupError(
            f"Feature group {group.name!r} version {group.version} is on demand: its rows are read from another database.",
            hint="Change the rows there, or create a cached feature group from them.",
        )
    return group
