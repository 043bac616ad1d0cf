from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.featurestore.connectors.models import StorageConnector
from infra.database.base import Base
from tenancy.projects.models import Project


class TrainingDataset(Base):
    """Files made from features or from a frame. The manifest says which files, from what.

    Neither ever changes at its place: other rows are written elsewhere, and the row of this table then names that.
    """

    __tablename__ = "training_dataset"
    __table_args__ = (UniqueConstraint("project_id", "name", "version"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"))
    name: Mapped[str] = mapped_column(String(63))
    version: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(16))
    description: Mapped[str] = mapped_column(Text)
    data_format: Mapped[str] = mapped_column(String(32))
    location: Mapped[str] = mapped_column(String(128))
    # Of an external one: through which connector, and where below it, the files are. `location` is then a key alone.
    connector_id: Mapped[UUID | None] = mapped_column(ForeignKey(StorageConnector.id), index=True)
    external_path: Mapped[str | None] = mapped_column(Text)
    rows: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    manifest: Mapped[dict[str, Any]]
    jobs: Mapped[list[str]]
    # What is to be computed of it; None: everything.
    statistics: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(128))
    revision: Mapped[int] = mapped_column(Integer)

    project: Mapped[Project] = relationship(lazy="joined", viewonly=True)
    connector: Mapped[StorageConnector | None] = relationship(lazy="joined", viewonly=True)

    __mapper_args__ = {"version_id_col": revision}  # noqa: RUF012 SQLAlchemy's declarative form
