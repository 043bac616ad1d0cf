from difflib import get_close_matches
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.featurestore.connectors.built_in import built_in_connectors, find_built_in, refusal
from app.featurestore.connectors.errors import ConnectorNotFoundError
from app.featurestore.connectors.models import StorageConnector
from tenancy.projects.models import Project


class ConnectorRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def of_project(self, project_id: UUID) -> Select[StorageConnector]:
        return select(StorageConnector).where(StorageConnector.project_id == project_id)

    def find(self, project_id: UUID, name: str) -> StorageConnector | None:
        return self._session.scalar(self.of_project(project_id).where(StorageConnector.name == name))

    def get(self, project_id: UUID, name: str) -> StorageConnector:
        """One that the project made; raises ConnectorBuiltInError for those that it did not have to make."""
        found = self.find(project_id, name)
        if found is not None:
            return found
        project = self._session.get_one(Project, project_id).name
        if find_built_in(project, name) is not None:
            raise refusal(name)
        near = get_close_matches(name, sorted(self.names(project_id)), n=5, cutoff=0.5)
        # They begin with the project's name: many a wrong one is a little like them.
        near += get_close_matches(name, [each.name for each in built_in_connectors(project)], cutoff=0.8)
        raise ConnectorNotFoundError(f"There is no storage connector {name[:80]!r}.", candidates=near)

    def names(self, project_id: UUID) -> list[str]:
        return list(self._session.scalars(self.of_project(project_id).with_only_columns(StorageConnector.name)))

    def get_by_id(self, project_id: UUID, connector_id: UUID) -> StorageConnector:
        found = self._session.scalar(self.of_project(project_id).where(StorageConnector.id == connector_id))
        if found is None:
            raise ConnectorNotFoundError("The storage connector is gone.")
        return found
