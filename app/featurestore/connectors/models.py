from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from infra.database.base import Base
from tenancy.projects.models import Project


class StorageConnector(Base):
    """How to reach a store that is not the warehouse. It names a secret and never holds one."""

    __tablename__ = "storage_connector"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"))
    name: Mapped[str] = mapped_column(String(63))
    kind: Mapped[str] = mapped_column(String(16))
    description: Mapped[str] = mapped_column(Text)
    # As the kind has read them: a field that it does not know cannot get in here.
    options: Mapped[dict[str, Any]]
    secret_ref: Mapped[str | None] = mapped_column(String(700))
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(128))
    updated_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(Integer)

    project: Mapped[Project] = relationship(lazy="joined", viewonly=True)

    __mapper_args__ = {"version_id_col": revision}  # noqa: RUF012 SQLAlchemy's declarative form
