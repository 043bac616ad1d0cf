from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from infra.database.base import Base


class Statistics(Base):
    """What the rows of a feature group or a training dataset looked like in one state. Computed anew, it is replaced."""

    __tablename__ = "statistics"
    __table_args__ = (UniqueConstraint("subject_id", "state"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"), index=True)
    # Of a feature group or a training dataset. No foreign key, since it is one of two.
    subject_id: Mapped[UUID]
    # Of a feature group the version of its table, of a training dataset its revision.
    state: Mapped[int] = mapped_column(BigInteger)
    rows: Mapped[int] = mapped_column(BigInteger)
    options: Mapped[dict[str, Any]]
    content: Mapped[dict[str, Any]]
    computed_at: Mapped[datetime]
    computed_by: Mapped[str] = mapped_column(String(128))
