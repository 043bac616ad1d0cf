from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from infra.database.base import Base


class LocationState(StrEnum):
    CLAIMED = "claimed"
    LIVE = "live"
    DOOMED = "doomed"


class Location(Base):
    """A place in a warehouse that is ours to write and to delete: which one, `path` says.

    It is claimed before the first byte is written and goes live with the row that names it, so that a crash in between
    leaves something to clean up and never half a table. What is deleted is doomed first and removed afterwards.
    """

    __tablename__ = "location"

    path: Mapped[str] = mapped_column(String(128), primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"))
    state: Mapped[str] = mapped_column(String(16), index=True)
    changed_at: Mapped[datetime]
    # Of a place that is not in the warehouse: `path` is then a key alone. Once it is doomed, `files` are those to remove.
    connector_id: Mapped[UUID | None] = mapped_column(ForeignKey("storage_connector.id"))
    external_path: Mapped[str | None] = mapped_column(Text)
    files: Mapped[list[str] | None]
