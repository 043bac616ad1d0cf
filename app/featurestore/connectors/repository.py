from difflib import get_close_matches
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.featurestore.connectors.errors import ConnectorNotFoundError
from app.featurestore.connectors.models import StorageConnector


class ConnectorRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def of_project(self, project_id: UUID) -> Select[StorageConnector]:
        return select(StorageConnector).where(StorageConnector.project_id == project_id)

    def get(self, project_id: UUID, name: str) -> StorageConnector:
        found = self._session.scalar(self.of_project(project_id).where(StorageConnector.name == name))
        if found is None:
            names = list(self._session.scalars(self.of_project(project_id).with_only_columns(StorageConnector.name)))
            raise ConnectorNotFoundError(
                f"There is no storage connector {name[:80]!r}.",
                candidates=get_close_matches(name, sorted(names), n=5, cutoff=0.5),
            )
        return found

    def get_by_id(self, project_id: UUID, connector_id: UUID) -> StorageConnector:
        found = self._session.scalar(self.of_project(project_id).where(StorageConnector.id == connector_id))
        if found is None:
            raise ConnectorNotFoundError("The storage connector is gone.")
        return found
