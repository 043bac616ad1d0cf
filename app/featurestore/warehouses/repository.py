"""Queries for warehouses of projects."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.featurestore.warehouses.models import ProjectWarehouse
from app.featurestore.warehouses.rules import Place
from infra.ports.files import BucketRole
from infra.ports.warehouses import RegisteredWarehouse
from tenancy.projects.models import Project

_SESSION_NAME = 64


class WarehouseRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def current(self, project_id: UUID, *, lock: bool = False) -> ProjectWarehouse | None:
        """Where new tables go; None for the gateway's own. `lock`: it stays registered to the end of the transaction."""
        query = select(ProjectWarehouse).where(
            ProjectWarehouse.project_id == project_id, ProjectWarehouse.is_current.is_(True)
        )
        if not lock:
            return self._session.scalar(query)
        locked = query.with_for_update(read=True)
        # Whoever waited for a registration sees the row that is over, and not yet the one in its place: that takes a second look.
        return self._session.scalar(locked) or self._session.scalar(locked)

    def of_project(self, project_id: UUID) -> list[ProjectWarehouse]:
        query = select(ProjectWarehouse).where(ProjectWarehouse.project_id == project_id)
        return list(self._session.scalars(query.order_by(ProjectWarehouse.id)))

    def places(self) -> list[tuple[ProjectWarehouse, str]]:
        """All there are, with their projects' names."""
        query = select(ProjectWarehouse, Project.name).join(Project, Project.id == ProjectWarehouse.project_id)
        return [(row, name) for row, name in self._session.execute(query.order_by(ProjectWarehouse.id))]

    def registered(self) -> list[RegisteredWarehouse]:
        return [registered(row, name) for row, name in self.places()]


def place_of(row: ProjectWarehouse) -> Place:
    return Place(row.bucket, row.prefix)


def registered(row: ProjectWarehouse, project: str) -> RegisteredWarehouse:
    role = None
    if row.role_arn is not None:
        role = BucketRole(row.role_arn, row.external_id or "", f"oasthouse-{project}"[:_SESSION_NAME])
    return RegisteredWarehouse(
        id=str(row.id),
        folder=str(row.project_id),
        url=str(place_of(row)),
        region=row.region,
        endpoint_url=row.endpoint_url,
        role=role,
        kms_key=row.kms_key,
    )
