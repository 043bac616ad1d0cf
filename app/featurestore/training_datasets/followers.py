"""What wants to hear of changes to training datasets, in the transaction that makes them known."""

from typing import Protocol

from sqlalchemy.orm import Session

from app.featurestore.training_datasets.models import TrainingDataset


class DatasetFollower(Protocol):
    def dataset_written(self, session: Session, dataset: TrainingDataset, author: str) -> None:
        """It was made, or its rows are others now."""

    def dataset_deleted(self, session: Session, dataset: TrainingDataset) -> None: ...
