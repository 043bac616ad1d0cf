"""What wants to hear of changes to feature groups, in the transaction that makes them known."""

from typing import Protocol

from sqlalchemy.orm import Session

from app.featurestore.feature_groups.models import FeatureGroup


class GroupFollower(Protocol):
    def group_written(self, session: Session, group: FeatureGroup, author: str) -> None:
        """Rows were committed; `group.table_version` is the version that they made."""

    def group_deleted(self, session: Session, group: FeatureGroup) -> None: ...
