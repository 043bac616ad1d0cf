from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.featurestore.connectors.models import StorageConnector
from infra.database.base import Base
from tenancy.projects.models import Project

CACHED, ON_DEMAND = "CACHED", "ON_DEMAND"


class FeatureGroup(Base):
    """A documented table of features. (project, name, version) names it; the location and the id never change."""

    __tablename__ = "feature_group"
    __table_args__ = (UniqueConstraint("project_id", "name", "version"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"))
    name: Mapped[str] = mapped_column(String(63))
    version: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(16))
    description: Mapped[str] = mapped_column(Text)
    # Empty where the rows are not in the warehouse.
    location: Mapped[str] = mapped_column(String(128))
    # Of a group on demand: what is asked, and where.
    query: Mapped[str | None] = mapped_column(Text)
    connector_id: Mapped[UUID | None] = mapped_column(ForeignKey(StorageConnector.id), index=True)
    event_time: Mapped[str | None] = mapped_column(String(63))
    jobs: Mapped[list[str]]
    # What is to be computed after each commit; None: everything.
    statistics: Mapped[dict[str, Any] | None]
    # What its rows must be like, and what happens to those that are not; None: nothing is asked of them.
    expectations: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(128))
    updated_at: Mapped[datetime]
    # The newest commit acknowledged; the table itself is asked where it matters.
    table_version: Mapped[int] = mapped_column(Integer)
    # Guards every change: without it, concurrent edits overwrite each other in silence.
    revision: Mapped[int] = mapped_column(Integer)

    project: Mapped[Project] = relationship(lazy="joined", viewonly=True)
    features: Mapped[list["Feature"]] = relationship(
        order_by="Feature.position", lazy="selectin", cascade="all, delete-orphan"
    )
    tags: Mapped[list["Tag"]] = relationship(order_by="Tag.name", lazy="selectin", cascade="all, delete-orphan")

    __mapper_args__ = {"version_id_col": revision}  # noqa: RUF012 SQLAlchemy's declarative form

    @property
    def primary_key(self) -> list[str]:
        keyed = [feature for feature in self.features if feature.key_position is not None]
        return [feature.name for feature in sorted(keyed, key=lambda feature: feature.key_position or 0)]

    @property
    def row_key(self) -> list[str]:
        """What tells one row from another: the primary key, and the event time where there is one."""
        return list(dict.fromkeys([*self.primary_key, *([self.event_time] if self.event_time else [])]))

    @property
    def partition_by(self) -> list[str]:
        parts = [feature for feature in self.features if feature.partition_position is not None]
        return [feature.name for feature in sorted(parts, key=lambda feature: feature.partition_position or 0)]


class Feature(Base):
    """One column. Its type is the Hive name, lower case, as parsed."""

    __tablename__ = "feature"
    __table_args__ = (UniqueConstraint("feature_group_id", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    feature_group_id: Mapped[UUID] = mapped_column(ForeignKey("feature_group.id"))
    position: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(63), index=True)
    type: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    key_position: Mapped[int | None] = mapped_column(Integer)
    partition_position: Mapped[int | None] = mapped_column(Integer)


class Tag(Base):
    __tablename__ = "feature_group_tag"

    feature_group_id: Mapped[UUID] = mapped_column(ForeignKey("feature_group.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
