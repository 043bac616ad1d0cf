"""What wants to hear of changes to feature groups, in the transaction that makes them known."""

from typing import Any, Protocol

import pyarrow as pa
from sqlalchemy.orm import Session

from app.featurestore.feature_groups.models import FeatureGroup


class GroupFollower(Protocol):
    def require_statistics(self, options: dict[str, Any] | None, schema: pa.Schema) -> None:
        """Raises InvalidInputError where rows of this schema cannot have them; None: whatever there is."""

    def group_written(self, session: Session, group: FeatureGroup, author: str) -> None:
        """Rows were committed; `group.table_version` is the version that they made."""

    def group_deleted(self, session: Session, group: FeatureGroup) -> None: ...
