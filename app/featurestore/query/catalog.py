"""From registered groups to what the planner sees of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from app.featurestore.feature_groups.errors import FeatureGroupNotFoundError
from app.featurestore.feature_groups.models import FeatureGroup
from app.featurestore.feature_groups.repository import FeatureGroupRepository
from app.featurestore.query.errors import FeatureNotFoundError
from app.featurestore.query.expression import CatalogGroup, CatalogSnapshot, FeatureExpression
from app.featurestore.query.planner import plan
from app.featurestore.query.plans import LogicalPlan
from tenancy.access import Access
from tenancy.projects.service import feature_store_name


@dataclass(frozen=True)
class PlannedGroups:
    """A plan and, by id, the registered groups that it reads."""

    plan: LogicalPlan
    groups: dict[UUID, FeatureGroup]


def plan_over(
    session: Session, expression: FeatureExpression, accesses: Sequence[Access], own: UUID | None
) -> PlannedGroups:
    """Plan over all that `accesses` reach. Of a large registry only groups with an asked feature or name are loaded."""
    repository, projects = FeatureGroupRepository(session), [access.project_id for access in accesses]
    groups = repository.in_projects(projects, _asked_features(expression), _asked_groups(expression))
    try:
        return _planned(expression, accesses, groups, own)
    except (FeatureNotFoundError, FeatureGroupNotFoundError):
        # Near misses have other names: they are looked for among everything, and only when they are needed.
        return _planned(expression, accesses, repository.in_projects(projects), own)


def _planned(
    expression: FeatureExpression, accesses: Sequence[Access], groups: Sequence[FeatureGroup], own: UUID | None
) -> PlannedGroups:
    return PlannedGroups(plan(expression, catalog_of(accesses, groups, own)), {group.id: group for group in groups})


def catalog_of(accesses: Sequence[Access], groups: Sequence[FeatureGroup], own: UUID | None) -> CatalogSnapshot:
    order = {access.project_id: index for index, access in enumerate(accesses)}
    ordered = sorted(groups, key=lambda group: (order[group.project_id], group.name, group.version))
    return CatalogSnapshot(
        [catalog_group(group, accesses[order[group.project_id]], own) for group in ordered],
        [feature_store_name(access.project) for access in accesses],
    )


def catalog_group(group: FeatureGroup, access: Access, own: UUID | None) -> CatalogGroup:
    return CatalogGroup(
        id=group.id,
        project=access.project,
        featurestore=feature_store_name(access.project),
        name=group.name,
        version=group.version,
        features={feature.name: feature.type for feature in group.features},
        primary_key=tuple(group.primary_key),
        grant=access.grant,
        is_own=access.project_id == own,
        event_time=group.event_time,
    )


def _asked_features(expression: FeatureExpression) -> set[str]:
    return {name.rpartition(".")[2] for name in expression.features}


def _asked_groups(expression: FeatureExpression) -> set[str]:
    """Names that the labels' group may have: `labels_1` is version 1 of `labels`, or a group that ends so."""
    if expression.labels is None or expression.labels.feature_group is None:
        return set()
    name = expression.labels.feature_group.rpartition(".")[2]
    return {name, name.rpartition("_")[0]}
