from collections.abc import Collection
from difflib import get_close_matches
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from app.featurestore.feature_groups.errors import FeatureGroupNotFoundError
from app.featurestore.feature_groups.models import Feature, FeatureGroup


class FeatureGroupRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def of_project(self, project_id: UUID, name: str | None = None) -> Select[FeatureGroup]:
        query = select(FeatureGroup).where(FeatureGroup.project_id == project_id)
        return query if name is None else query.where(FeatureGroup.name == name)

    def get(self, project_id: UUID, name: str, version: int) -> FeatureGroup:
        group = self._session.scalar(self.of_project(project_id, name).where(FeatureGroup.version == version))
        if group is None:
            raise self._not_found(project_id, name, version)
        return group

    def in_projects(
        self, project_ids: list[UUID], having: Collection[str] | None = None, named: Collection[str] = ()
    ) -> list[FeatureGroup]:
        """The groups of projects that the caller was found to see.

        Only those with a feature out of `having` or a name out of `named`, if given.
        """
        query = select(FeatureGroup).where(FeatureGroup.project_id.in_(project_ids))
        if having is not None:
            has_feature = FeatureGroup.features.any(Feature.name.in_(having))
            query = query.where(has_feature | FeatureGroup.name.in_(named))
        return list(self._session.scalars(query))

    def names_reading_through(self, connector_id: UUID) -> list[str]:
        """Groups on demand of a connector, with their versions, by name."""
        query = select(FeatureGroup.name, FeatureGroup.version).where(FeatureGroup.connector_id == connector_id)
        found = self._session.execute(query.order_by(FeatureGroup.name, FeatureGroup.version))
        return [f"{name} version {version}" for name, version in found]

    def note_table_version(self, group: FeatureGroup, table_version: int) -> None:
        """Apart from the guarded row: two inserts at once are no conflict, and the newer version stays."""
        self._session.execute(
            update(FeatureGroup)
            .where(FeatureGroup.id == group.id, FeatureGroup.table_version < table_version)
            .values(table_version=table_version)
            .execution_options(synchronize_session=False)
        )

    def _not_found(self, project_id: UUID, name: str, version: int) -> FeatureGroupNotFoundError:
        rows = self._session.execute(
            select(FeatureGroup.name, FeatureGroup.version).where(FeatureGroup.project_id == project_id)
        )
        known = sorted((row[0], row[1]) for row in rows)
        versions = [known_version for known_name, known_version in known if known_name == name]
        if versions:
            return FeatureGroupNotFoundError(
                f"Feature group {name!r} has no version {version}.",
                candidates=[f"{name} version {known_version}" for known_version in versions],
            )
        return FeatureGroupNotFoundError(
            f"There is no feature group {name[:80]!r}.",
            candidates=get_close_matches(name, sorted({known_name for known_name, _ in known}), n=5, cutoff=0.5),
        )
