from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from infra.database.base import Base


class ProjectWarehouse(Base):
    """Where tables of a project lie that are not in the gateway's own warehouse.

    `is_current`: new ones go there. Others stay registered as long as anything lies there, or could be being written.
    """

    __tablename__ = "project_warehouse"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"), index=True)
    is_current: Mapped[bool]
    bucket: Mapped[str] = mapped_column(String(63))
    prefix: Mapped[str] = mapped_column(String(512))
    region: Mapped[str | None] = mapped_column(String(64))
    endpoint_url: Mapped[str | None] = mapped_column(Text)
    role_arn: Mapped[str | None] = mapped_column(Text)
    external_id: Mapped[str | None] = mapped_column(Text)
    kms_key: Mapped[str | None] = mapped_column(Text)
    proven_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(128))


class CommitProof(Base):
    """When the gateway's own warehouse was last seen to let one of many writers."""

    __tablename__ = "commit_proof"

    # Digest of the warehouse's name, which is too long to be a key.
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    warehouse: Mapped[str] = mapped_column(Text)
    proven_at: Mapped[datetime]
