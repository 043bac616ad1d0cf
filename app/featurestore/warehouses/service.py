"""Use cases around warehouses of projects. Operators alone name buckets and roles: a tenant's word leads nowhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.featurestore.warehouses.errors import WarehouseOverlapsError
from app.featurestore.warehouses.models import ProjectWarehouse
from app.featurestore.warehouses.repository import WarehouseRepository, place_of, registered
from app.featurestore.warehouses.rules import Place, RegisterWarehouse, read_place
from infra.clock import Clock
from infra.database.unit_of_work import Database
from infra.errors import ConflictError, InvalidInputError
from infra.ids import IdFactory
from infra.ports.warehouses import RegisteredWarehouse, WarehouseNotProvenError, WarehouseProver
from tenancy.access import Access, Authorizer
from tenancy.actions import Action
from tenancy.audit.service import AuditLog
from tenancy.principals import RequestContext
from tenancy.projects.models import Project

Taken = Callable[[Session], Sequence[tuple[Place, str]]]
"""Places in buckets that others of ours lead to, each with what to call it."""


@dataclass(frozen=True)
class ProjectWarehouseInfo:
    """`url` None: new tables go into the gateway's own warehouse. `former` are places where earlier ones still lie."""

    project: str
    url: str | None
    role_arn: str | None
    external_id: str | None
    kms_key: str | None
    region: str | None
    endpoint_url: str | None
    proven_at: datetime | None
    changed_by: str | None
    former: list[str]


@dataclass(frozen=True)
class Deployment:
    """`own` None: the gateway's own warehouse is a directory."""

    own: Place | None
    endpoint_url: str | None


class WarehouseService:
    """`taken`: where connectors lead. `used`: whether anything of the project lies in one, or may be being written there."""

    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        audit: AuditLog,
        clock: Clock,
        ids: IdFactory,
        deployment: Deployment,
        prover: WarehouseProver,
        taken: Taken,
        used: Callable[[Session, RegisteredWarehouse], bool],
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._audit = audit
        self._clock = clock
        self._ids = ids
        self._deployment = deployment
        self._prover = prover
        self._taken = taken
        self._used = used

    def get(self, context: RequestContext, project: str) -> ProjectWarehouseInfo:
        with self._database.read() as session:
            access = self._require(session, context, project)
            return _info(session, access)

    def register(self, context: RequestContext, project: str, command: RegisterWarehouse) -> ProjectWarehouseInfo:
        """From now on the project's new tables go there. Proven first; what is not proven leaves everything as it was."""
        self._require_beside_s3()
        place = read_place(command)
        with self._database.read() as session:
            access = self._require(session, context, project)
            self._require_identity(command)
            self._require_apart(session, access.project_id, place)
        row = self._row(context, access, place, command)
        self._prover.prove(registered(row, project))
        with self._database.write() as uow:
            # One at a time: two that look before either is there would both find nobody. Inserts of groups go on.
            list(uow.session.scalars(select(Project.id).order_by(Project.id).with_for_update(key_share=True)))
            self._require_apart(uow.session, access.project_id, place)
            self._leave_current(uow.session, access.project_id)
            self._keep(uow.session, row)
            detail = {name: getattr(row, name) for name in ("role_arn", "kms_key", "region", "endpoint_url")}
            self._record(uow.session, context, access, url=str(place), **detail)
            uow.commit()
            return _info(uow.session, access)

    def unset(self, context: RequestContext, project: str) -> ProjectWarehouseInfo:
        """From now on new tables go into the gateway's own warehouse; those that are there stay, and stay readable."""
        with self._database.write() as uow:
            access = self._require(uow.session, context, project)
            if WarehouseRepository(uow.session).current(access.project_id) is None:
                raise ConflictError(f"Project {project!r} has no warehouse of its own.")
            self._leave_current(uow.session, access.project_id)
            self._record(uow.session, context, access, url=None)
            uow.commit()
            return _info(uow.session, access)

    def check(self) -> list[tuple[str, str, str | None]]:
        """Try all of them anew: place, project, and what is wrong; None where nothing is."""
        with self._database.read() as session:
            found = [(registered(row, name), name) for row, name in WarehouseRepository(session).places()]
        return [(each.url, name, self._fault(each)) for each, name in found]

    def _fault(self, warehouse: RegisteredWarehouse) -> str | None:
        try:
            self._prover.prove(warehouse)
        except WarehouseNotProvenError as error:
            return f"{error.detail} {error.hint}"
        return None

    def _require(self, session: Session, context: RequestContext, project: str) -> Access:
        self._authorizer.require_server(context.principal, Action.WAREHOUSE_SET)
        return self._authorizer.require(session, context.principal, Action.PROJECT_READ, project)

    def _require_beside_s3(self) -> None:
        """Before all else that may be wrong: mending that would lead nowhere."""
        if self._deployment.own is None:
            raise InvalidInputError(
                "The gateway's own warehouse is a directory, and projects have one of their own beside S3 only.",
                hint="Set OAST_WAREHOUSE__URL to s3://bucket/prefix first.",
            )

    def _require_identity(self, command: RegisterWarehouse) -> None:
        if command.role_arn is None and command.endpoint_url not in (None, self._deployment.endpoint_url):
            raise InvalidInputError(
                "At another store's endpoint the gateway does not come as itself.",
                hint="Give --role and --external-id.",
            )

    def _require_apart(self, session: Session, project_id: UUID, place: Place) -> None:
        """From everything but the very same place of the same project, which is registered anew."""
        others = [
            (place_of(row), f"a warehouse of project {name}") for row, name in _others(session, project_id, place)
        ]
        own = [(self._deployment.own, "the gateway's own warehouse")] if self._deployment.own else []
        for other, name in [*own, *others, *self._taken(session)]:
            if place.overlaps(other):
                raise WarehouseOverlapsError(
                    f"{place} overlaps {other}, which is {name}.", hint="Choose another bucket, or a prefix beside it."
                )

    def _row(
        self, context: RequestContext, access: Access, place: Place, command: RegisterWarehouse
    ) -> ProjectWarehouse:
        return ProjectWarehouse(
            id=self._ids(),
            project_id=access.project_id,
            is_current=True,
            bucket=place.bucket,
            prefix=place.prefix,
            region=command.region,
            endpoint_url=command.endpoint_url.removesuffix("/") if command.endpoint_url else None,
            role_arn=command.role_arn,
            external_id=command.external_id,
            kms_key=command.kms_key,
            proven_at=self._clock.now(),
            changed_by=context.principal.name,
        )

    def _leave_current(self, session: Session, project_id: UUID) -> None:
        """What nothing lies in is forgotten. Whoever is about to claim a place there holds its row until it is there."""
        found = WarehouseRepository(session).of_project(project_id)
        ids = [row.id for row in found]
        list(session.scalars(select(ProjectWarehouse).where(ProjectWarehouse.id.in_(ids)).with_for_update()))
        session.execute(update(ProjectWarehouse).where(ProjectWarehouse.id.in_(ids)).values(is_current=False))
        unused = [row.id for row in found if not self._used(session, registered(row, ""))]
        session.execute(delete(ProjectWarehouse).where(ProjectWarehouse.id.in_(unused)))

    def _keep(self, session: Session, row: ProjectWarehouse) -> None:
        """The same place keeps its id, which is in the paths of all that lies there."""
        for known in WarehouseRepository(session).of_project(row.project_id):
            if place_of(known) == place_of(row):
                row.id = known.id
        session.merge(row)
        session.flush()

    def _record(self, session: Session, context: RequestContext, access: Access, **detail: object) -> None:
        self._audit.record(
            session, context, Action.WAREHOUSE_SET, project_id=access.project_id, subject=access.project, **detail
        )


def _others(session: Session, project_id: UUID, place: Place) -> list[tuple[ProjectWarehouse, str]]:
    found = WarehouseRepository(session).places()
    return [(row, name) for row, name in found if (row.project_id, place_of(row)) != (project_id, place)]


def _info(session: Session, access: Access) -> ProjectWarehouseInfo:
    found = WarehouseRepository(session).of_project(access.project_id)
    current = next((row for row in found if row.is_current), None)
    return ProjectWarehouseInfo(
        project=access.project,
        url=str(place_of(current)) if current else None,
        role_arn=current.role_arn if current else None,
        external_id=current.external_id if current else None,
        kms_key=current.kms_key if current else None,
        region=current.region if current else None,
        endpoint_url=current.endpoint_url if current else None,
        proven_at=current.proven_at if current else None,
        changed_by=current.changed_by if current else None,
        former=[str(place_of(row)) for row in found if not row.is_current],
    )
