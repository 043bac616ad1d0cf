from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from infra.database.base import Base
from tenancy.projects.models import Project


class Share(Base):
    """One project's offer of its feature store or its training datasets to another project.

    Names projects by id: whoever takes a deleted project's name inherits nothing. A share that ended stays as a record.
    """

    __tablename__ = "share"
    __table_args__ = (
        Index(
            "uq_share_live",
            "owner_project_id",
            "receiver_project_id",
            "what",
            unique=True,
            sqlite_where=text("state IN ('pending', 'accepted')"),
            postgresql_where=text("state IN ('pending', 'accepted')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"))
    receiver_project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"), index=True)
    what: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    offered_by: Mapped[str] = mapped_column(String(128))
    offered_at: Mapped[datetime]
    answered_by: Mapped[str | None] = mapped_column(String(128))
    answered_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    ended_by: Mapped[str | None] = mapped_column(String(128))
    ended_at: Mapped[datetime | None]

    owner: Mapped[Project] = relationship(foreign_keys=[owner_project_id], lazy="joined", viewonly=True)
    receiver: Mapped[Project] = relationship(foreign_keys=[receiver_project_id], lazy="joined", viewonly=True)
