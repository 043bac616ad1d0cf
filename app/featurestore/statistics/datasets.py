"""Training datasets as subjects of statistics. Their files never change, so a revision is a state."""

from uuid import UUID

import pyarrow as pa
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.featurestore.statistics.subjects import TRAINING_DATASET, OpenScan, Scan, Subject, SubjectRef
from app.featurestore.training_datasets.models import TrainingDataset
from app.featurestore.training_datasets.places import DatasetPlaces
from app.featurestore.training_datasets.reading import schema_of
from app.featurestore.training_datasets.repository import TrainingDatasetRepository
from infra.ports.formats import DataFormat
from infra.registry import Registry
from tenancy.actions import Action


class TrainingDatasetSubjects:
    reads = Action.TRAINING_DATASET_READ_ROWS
    updates = Action.TRAINING_DATASET_CREATE

    def __init__(self, *, places: DatasetPlaces, formats: Registry[DataFormat]) -> None:
        self._places = places
        self._formats = formats

    def get(self, session: Session, project_id: UUID, ref: SubjectRef) -> Subject:
        return _of_dataset(TrainingDatasetRepository(session).get(project_id, ref.name, ref.version))

    def find(self, session: Session, project_id: UUID, subject_id: UUID) -> Subject | None:
        dataset = self._find(session, project_id, subject_id)
        return None if dataset is None else _of_dataset(dataset)

    def hold(self, session: Session, subject: Subject) -> bool:
        found = select(TrainingDataset.id).where(TrainingDataset.id == subject.id)
        return session.scalar(found.with_for_update()) is not None

    def schema(self, session: Session, subject: Subject) -> pa.Schema:
        return schema_of(self._get(session, subject).manifest)

    def rows(self, session: Session, subject: Subject) -> OpenScan:
        dataset = self._get(session, subject)
        files, schema, parts = self._places.of(dataset), schema_of(dataset.manifest), dataset.manifest["files"]
        data_format = self._formats.load(dataset.data_format)
        scan = Scan(
            schema, dataset.rows, dataset.revision, lambda columns: files.read(parts, data_format, schema, columns)
        )
        return lambda: scan

    def _get(self, session: Session, subject: Subject) -> TrainingDataset:
        dataset = self._find(session, subject.project_id, subject.id)
        assert dataset is not None
        return dataset

    def _find(self, session: Session, project_id: UUID, subject_id: UUID) -> TrainingDataset | None:
        found = TrainingDataset.project_id == project_id, TrainingDataset.id == subject_id
        return session.scalar(select(TrainingDataset).where(*found))


def _of_dataset(dataset: TrainingDataset) -> Subject:
    return Subject(TRAINING_DATASET, dataset.id, dataset.project_id, dataset.name, dataset.version, dataset.statistics)
