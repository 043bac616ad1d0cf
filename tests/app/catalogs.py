"""Groups and questions for the planner, in few words."""

from typing import Any
from uuid import UUID

from app.featurestore.query.expression import CatalogGroup, CatalogSnapshot, FeatureExpression, LabelsSpec

OWN = "football"


def group(
    name: str,
    *features: str,
    key: tuple[str, ...] = ("team_id",),
    version: int = 1,
    project: str = OWN,
    event_time: str | None = None,
    **types: str,
) -> CatalogGroup:
    """A group whose key columns come first; of type double, where `types` says nothing else."""
    return CatalogGroup(
        id=UUID(int=hash((project, name, version)) & (2**128 - 1)),
        project=project,
        featurestore=f"{project}_featurestore",
        name=name,
        version=version,
        features=dict.fromkeys((*key, *features), "double") | types,
        primary_key=key,
        grant="own project" if project == OWN else "share 1",
        is_own=project == OWN,
        event_time=event_time,
    )


def catalog(*groups: CatalogGroup) -> CatalogSnapshot:
    stores = sorted({group.featurestore for group in groups} | {f"{OWN}_featurestore"})
    return CatalogSnapshot(groups, stores)


def ask(*features: str, **options: Any) -> FeatureExpression:
    return FeatureExpression(features, **options)


def attach(*features: str, to: dict[str, str] | str, at: str | None = None, **options: Any) -> FeatureExpression:
    """As `ask`, to labels with these columns, or to those of the group of that name."""
    given_back = options.pop("given_back", None)
    labels = LabelsSpec({}, at, given_back, to) if isinstance(to, str) else LabelsSpec(to, at, given_back)
    return FeatureExpression(features, labels=labels, **options)
