from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.featurestore.feature_groups.models import FeatureGroup
from infra.database.base import Base

INSERT, TABLE = "insert", "table"


class ValidationReport(Base):
    """What one look at rows has found. Its id is that of the request or run, which may come again and then replaces it."""

    __tablename__ = "validation_report"
    __table_args__ = (Index(None, "feature_group_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"))
    feature_group_id: Mapped[UUID] = mapped_column(ForeignKey(FeatureGroup.id, ondelete="CASCADE"))
    # Whether the rows were those of an insert or those of the table.
    of: Mapped[str] = mapped_column(String(16))
    # The version that the insert made, or that was looked at; None: the insert was rejected.
    table_version: Mapped[int | None] = mapped_column(BigInteger)
    policy: Mapped[str] = mapped_column(String(16))
    passed: Mapped[bool] = mapped_column(Boolean)
    rows: Mapped[int] = mapped_column(BigInteger)
    # A list below `results`, with examples: data, for who may read rows.
    content: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(128))
