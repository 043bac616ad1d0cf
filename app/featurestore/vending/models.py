from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from infra.database.base import Base


class ProjectVending(Base):
    """Whether a project's tables may be read with credentials of their own. Without a row they may not."""

    __tablename__ = "project_vending"

    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"), primary_key=True)
    enabled: Mapped[bool]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(128))


class VendingProof(Base):
    """What came of the last look at whether credentials stay within their table; one of each minter."""

    __tablename__ = "vending_proof"

    # Digest of the minter's name, which is too long to be a key.
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    minter: Mapped[str] = mapped_column(Text)
    checked_at: Mapped[datetime]
    passed: Mapped[bool]
    checks: Mapped[dict[str, Any]]
