"""Has statistics computed after every commit."""

from typing import Any
from uuid import UUID

import pyarrow as pa
from sqlalchemy.orm import Session

from app.featurestore.feature_groups.models import FeatureGroup
from app.featurestore.jobs.queue import RunOrder, RunQueue
from app.featurestore.statistics.maths.options import StatisticsOptions, require_options
from app.featurestore.statistics.repository import StatisticsRepository
from app.featurestore.statistics.subjects import FEATURE_GROUP, TRAINING_DATASET, run_subject
from app.featurestore.training_datasets.models import TrainingDataset

KIND = "statistics"


class StatisticsFollower:
    """Implements `GroupFollower` and `DatasetFollower`. `after_commits` False: only where somebody asks for them."""

    def __init__(self, *, queue: RunQueue, after_commits: bool) -> None:
        self._queue = queue
        self._after_commits = after_commits

    def require_statistics(self, options: dict[str, Any] | None, schema: pa.Schema) -> None:
        if options is not None:
            require_options(StatisticsOptions.of(options), schema)

    def group_written(self, session: Session, group: FeatureGroup, author: str) -> None:
        self._written(session, FEATURE_GROUP, group.id, group, author)

    def group_deleted(self, session: Session, group: FeatureGroup) -> None:
        StatisticsRepository(session).remove(group.id)

    def dataset_written(self, session: Session, dataset: TrainingDataset, author: str) -> None:
        self._written(session, TRAINING_DATASET, dataset.id, dataset, author)

    def dataset_deleted(self, session: Session, dataset: TrainingDataset) -> None:
        StatisticsRepository(session).remove(dataset.id)

    def _written(
        self, session: Session, kind: str, subject_id: UUID, subject: FeatureGroup | TrainingDataset, author: str
    ) -> None:
        if self._after_commits and wants_any(subject.statistics):
            order = statistics_order(subject.project_id, kind, subject_id, author, "commit")
            self._queue.enqueue_unless_waiting(session, order)


def wants_any(options: dict[str, object] | None) -> bool:
    return options is None or any(
        options.get(block, True) for block in ("descriptive", "correlations", "histograms", "clusters")
    )


def statistics_order(
    project_id: UUID, kind: str, subject_id: UUID, author: str, trigger: str, options: dict[str, object] | None = None
) -> RunOrder:
    """`options` None: those of the subject, as they are when the run begins."""
    return RunOrder(
        project_id=project_id,
        kind=KIND,
        subject=run_subject(kind, subject_id),
        arguments={"of": kind, "id": str(subject_id), "options": options},
        trigger=trigger,
        requested_by=author,
    )
