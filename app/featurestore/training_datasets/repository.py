from difflib import get_close_matches
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.featurestore.training_datasets.errors import TrainingDatasetNotFoundError
from app.featurestore.training_datasets.models import TrainingDataset


class TrainingDatasetRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def of_project(self, project_id: UUID, name: str | None = None) -> Select[TrainingDataset]:
        query = select(TrainingDataset).where(TrainingDataset.project_id == project_id)
        return query if name is None else query.where(TrainingDataset.name == name)

    def find(self, project_id: UUID, name: str, version: int) -> TrainingDataset | None:
        return self._session.scalar(self.of_project(project_id, name).where(TrainingDataset.version == version))

    def next_version(self, project_id: UUID, name: str) -> int:
        """One more than the highest; 1 of a name that there is not."""
        versions = select(func.max(TrainingDataset.version)).where(TrainingDataset.project_id == project_id)
        return (self._session.scalar(versions.where(TrainingDataset.name == name)) or 0) + 1

    def get(self, project_id: UUID, name: str, version: int) -> TrainingDataset:
        dataset = self.find(project_id, name, version)
        if dataset is None:
            known = self._session.scalars(
                select(TrainingDataset.name).where(TrainingDataset.project_id == project_id).distinct()
            )
            raise TrainingDatasetNotFoundError(
                f"There is no training dataset {name[:80]!r} version {version}.",
                candidates=get_close_matches(name, sorted(known), n=5, cutoff=0.5),
            )
        return dataset

    def names_written_through(self, connector_id: UUID) -> list[str]:
        """As `name_version`."""
        found = self._session.execute(
            select(TrainingDataset.name, TrainingDataset.version)
            .where(TrainingDataset.connector_id == connector_id)
            .order_by(TrainingDataset.name, TrainingDataset.version)
        )
        return [f"{name}_{version}" for name, version in found]
