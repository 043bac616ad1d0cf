"""Warehouses: the gateway's own and those of projects."""

from collections.abc import Sequence

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app.bootstrap.parts import Parts
from app.featurestore.connectors.models import StorageConnector
from app.featurestore.locations.models import Location
from app.featurestore.warehouses.proof import CommitProofs
from app.featurestore.warehouses.repository import WarehouseRepository, place_of
from app.featurestore.warehouses.rules import Place
from app.featurestore.warehouses.service import Deployment, WarehouseService
from infra.ids import new_id
from infra.ports.warehouses import RegisteredWarehouse
from infra.storage.proving import S3WarehouseProver
from tenancy.projects.models import Project


def build_warehouses(parts: Parts) -> WarehouseService:
    return WarehouseService(
        **parts.writing,
        ids=new_id,
        deployment=Deployment(own_place(parts), parts.settings.warehouse.endpoint_url),
        prover=S3WarehouseProver(parts.warehouse, parts.roles),
        taken=_places_of_connectors,
        used=_is_used,
    )


def build_commit_proofs(parts: Parts) -> CommitProofs:
    endpoint = parts.settings.warehouse.endpoint_url or "AWS"
    name = f"{parts.warehouse.url} of {endpoint}"
    return CommitProofs(database=parts.database, store=parts.store, clock=parts.clock, name=name)


def own_place(parts: Parts) -> Place | None:
    return Place(parts.warehouse.bucket, parts.warehouse.prefix) if parts.warehouse.is_s3 else None


def reserved_places(parts: Parts) -> Sequence[Place]:
    """Where no connector leads."""
    own = own_place(parts)
    with parts.database.read() as session:
        return [*([own] if own else ()), *(place_of(row) for row, _ in WarehouseRepository(session).places())]


def _places_of_connectors(session: Session) -> list[tuple[Place, str]]:
    found = (
        select(StorageConnector, Project.name)
        .join(Project, Project.id == StorageConnector.project_id)
        .where(StorageConnector.kind == "S3")
    )
    return [
        (
            Place(connector.options["bucket"], connector.options.get("prefix", "")),
            f"where connector {connector.name!r} of project {project} leads",
        )
        for connector, project in session.execute(found)
    ]


def _is_used(session: Session, warehouse: RegisteredWarehouse) -> bool:
    below = f"{warehouse.path()}/"
    return bool(session.scalar(select(exists().where(Location.path.startswith(below, autoescape=True)))))
