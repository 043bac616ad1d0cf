from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from infra.database.base import Base
from tenancy.members.models import Member
from tenancy.projects.models import Project


class ApiKey(Base):
    """All that is kept of a key. A key belongs to one member of one project; an operator's key to neither.

    `mac` is keyed with the pepper and covers the id, so that rows cannot be planted or swapped by who writes the database.
    """

    __tablename__ = "api_key"

    key_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    environment: Mapped[str] = mapped_column(String(4))
    pepper_id: Mapped[str] = mapped_column(String(12))
    mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    name: Mapped[str] = mapped_column(String(128))
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("project.id"), index=True)
    # No foreign key: a key outlives its member in the list, where the name says whose it was. The id, not the name,
    # decides: somebody added later under the same name does not bring old keys back to life.
    member_id: Mapped[UUID | None]
    member_name: Mapped[str | None] = mapped_column(String(128))
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(128))
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    rotated_to: Mapped[str | None] = mapped_column(String(16))

    project: Mapped[Project | None] = relationship(lazy="joined", viewonly=True)
    member: Mapped[Member | None] = relationship(
        lazy="joined", viewonly=True, primaryjoin="foreign(ApiKey.member_id) == Member.id"
    )
    use: Mapped["ApiKeyUse | None"] = relationship(
        lazy="joined", viewonly=True, primaryjoin="foreign(ApiKeyUse.key_id) == ApiKey.key_id", uselist=False
    )


class ApiKeyUse(Base):
    """When a key was last seen, written at most once a minute; apart, so that the key's own row stays still."""

    __tablename__ = "api_key_use"

    key_id: Mapped[str] = mapped_column(ForeignKey("api_key.key_id", ondelete="CASCADE"), primary_key=True)
    last_used_at: Mapped[datetime]
