from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from infra.database.base import Base
from infra.ports.sealing import Sealed
from tenancy.projects.models import Project


class StoredSecret(Base):
    """The secret of one connector, where its operator lets people keep them here. Nobody is ever answered with it."""

    __tablename__ = "stored_secret"

    connector_id: Mapped[UUID] = mapped_column(ForeignKey("storage_connector.id", ondelete="CASCADE"), primary_key=True)
    key_id: Mapped[str] = mapped_column(String(300))
    wrapped_key: Mapped[bytes] = mapped_column(LargeBinary)
    nonce: Mapped[bytes] = mapped_column(LargeBinary)
    text: Mapped[bytes] = mapped_column(LargeBinary)
    # Tells two secrets apart for who may change them, and nothing else: keyed with the pepper.
    fingerprint: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[datetime]

    @property
    def sealed(self) -> Sealed:
        return Sealed(self.key_id, self.wrapped_key, self.nonce, self.text)


class StorageConnector(Base):
    """How to reach a store that is not the warehouse. It names a secret, or has one beside it that is sealed."""

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
    stored_secret: Mapped[StoredSecret | None] = relationship(
        lazy="joined", cascade="all, delete-orphan", passive_deletes=True
    )

    @property
    def has_secret(self) -> bool:
        return self.secret_ref is not None or self.stored_secret is not None

    __mapper_args__ = {"version_id_col": revision}  # noqa: RUF012 SQLAlchemy's declarative form
