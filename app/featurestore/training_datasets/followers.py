"""What wants to hear of changes to training datasets, in the transaction that makes them known."""

from typing import Any, Protocol

import pyarrow as pa
from sqlalchemy.orm import Session

from app.featurestore.training_datasets.models import TrainingDataset


class DatasetFollower(Protocol):
    def require_statistics(self, options: dict[str, Any] | None, schema: pa.Schema) -> None:
        """Raises InvalidInputError where rows of this schema cannot have them; None: whatever there is."""

    def dataset_written(self, session: Session, dataset: TrainingDataset, author: str) -> None:
        """It was made, or its rows are others now."""

    def dataset_deleted(self, session: Session, dataset: TrainingDataset) -> None: ...
