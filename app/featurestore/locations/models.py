from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from infra.database.base import Base


class LocationState(StrEnum):
    CLAIMED = "claimed"
    LIVE = "live"
    DOOMED = "doomed"


class Location(Base):
    """A place in the warehouse that is ours to write and to delete.

    It is claimed before the first byte is written and goes live with the row that names it, so that a crash in between
    leaves something to clean up and never half a table. What is deleted is doomed first and removed afterwards.
    """

    __tablename__ = "location"

    path: Mapped[str] = mapped_column(String(128), primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"))
    state: Mapped[str] = mapped_column(String(16), index=True)
    changed_at: Mapped[datetime]
