"""Use cases around storage connectors. They are for the project's own members: no share reaches them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.featurestore.connectors.built_in import (
    BuiltInConnector,
    built_in_connectors,
    find_built_in,
    page_after_built_in,
)
from app.featurestore.connectors.errors import ConnectorExistsError, ConnectorInUseError, ConnectorStaleError
from app.featurestore.connectors.infos import ConnectorInfo, ConnectorTestInfo
from app.featurestore.connectors.kinds import CredentialKind, FileKind, Kinds, Options
from app.featurestore.connectors.models import StorageConnector
from app.featurestore.connectors.repository import ConnectorRepository
from app.featurestore.connectors.secrets import Login, ProjectSecrets
from app.featurestore.connectors.stored import Bound, StoredSecrets, binding_of
from infra.clock import Clock
from infra.crypto import SecretValue
from infra.database.paging import Page, PageRequest, paginate
from infra.database.unit_of_work import Database, UnitOfWork
from infra.errors import InvalidInputError, NotPermittedError
from infra.ids import IdFactory
from infra.ports.sealing import Binding
from tenancy.access import Access, Authorizer
from tenancy.actions import Action
from tenancy.audit.service import AuditLog
from tenancy.names import require_name
from tenancy.principals import RequestContext
from tenancy.projects.models import Project


@dataclass(frozen=True)
class CreateConnector:
    """`secret` is a reference, `secret_value` a secret to be kept here. `options` as the kind takes them."""

    name: str
    options: Mapping[str, Any]
    kind: str = "JDBC"
    description: str = ""
    secret: str | None = None
    secret_value: SecretValue | None = None


@dataclass(frozen=True)
class UpdateConnector:
    """What is None stays, but for the secret: `changes_secret` says that one was given or named, be it as None."""

    description: str | None = None
    options: Mapping[str, Any] | None = None
    secret: str | None = None
    secret_value: SecretValue | None = None
    changes_secret: bool = False


class ConnectorUse(Protocol):
    def __call__(self, session: Session, connector_id: UUID) -> list[str]:
        """What reads through the connector, as its project names it."""


class ConnectorService:
    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        audit: AuditLog,
        clock: Clock,
        ids: IdFactory,
        kinds: Kinds,
        secrets: ProjectSecrets,
        stored: StoredSecrets,
        uses: ConnectorUse,
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._audit = audit
        self._clock = clock
        self._ids = ids
        self._kinds = kinds
        self._secrets = secrets
        self._stored = stored
        self._uses = uses

    def create(self, context: RequestContext, project: str, command: CreateConnector) -> ConnectorInfo:
        require_name(command.name, "storage connector")
        _require_one_secret(command)
        connector_id, kind = self._ids(), command.kind.upper()

        def bound(session: Session) -> Binding:
            access = self._authorizer.require(session, context.principal, Action.CONNECTOR_CREATE, project)
            return binding_of(access.project_id, connector_id, kind, self._options(kind, command.options))

        sealed = self._stored.seal(command.secret_value, bound)
        with self._database.write() as uow:
            access = self._authorizer.require(uow.session, context.principal, Action.CONNECTOR_CREATE, project)
            taken = ConnectorExistsError(f"There is a storage connector {command.name!r} already.")
            if find_built_in(access.project, command.name) is not None:
                raise taken
            now = self._clock.now()
            connector = StorageConnector(
                id=connector_id,
                project_id=access.project_id,
                name=command.name,
                kind=kind,
                description=command.description,
                options=self._options(kind, command.options),
                secret_ref=self._reference(access.project, command.secret),
                created_at=now,
                created_by=context.principal.name,
                updated_at=now,
            )
            if sealed is not None:
                self._stored.attach(connector, sealed)
            self._require_credentials(connector)
            uow.session.add(connector)
            uow.flush_or(taken)
            uow.session.refresh(connector)
            self._record(uow, context, Action.CONNECTOR_CREATE, connector, options=connector.options)
            uow.commit()
            return self._info(connector, with_secret=True)

    def get(self, context: RequestContext, project: str, name: str) -> ConnectorInfo:
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.CONNECTOR_READ, project)
            found = self._find_built_in(session, access, name)
            if found is not None:
                return ConnectorInfo.of_built_in(found, session.get_one(Project, access.project_id))
            connector = ConnectorRepository(session).get(access.project_id, name)
            return self._info(connector, with_secret=self._may_change(session, context, project))

    def list_connectors(self, context: RequestContext, project: str, page: PageRequest) -> Page[ConnectorInfo]:
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.CONNECTOR_LIST, project)
            with_secret = self._may_change(session, context, project)
            repository = ConnectorRepository(session)
            query, own = repository.of_project(access.project_id), session.get_one(Project, access.project_id)
            first = [
                each for each in built_in_connectors(own.name) if not repository.find(access.project_id, each.name)
            ]

            def rest(page: PageRequest) -> Page[ConnectorInfo]:
                found: Page[StorageConnector] = paginate(session, query, page, [StorageConnector.name])
                return found.map(lambda connector: self._info(connector, with_secret=with_secret))

            return page_after_built_in([ConnectorInfo.of_built_in(each, own) for each in first], page, rest)

    def update(
        self,
        context: RequestContext,
        project: str,
        name: str,
        command: UpdateConnector,
        expected_revision: int | None = None,
    ) -> ConnectorInfo:
        """Who points it elsewhere must name the secret again: it shall not follow unasked to another host."""
        _require_one_secret(command)

        def bound(session: Session) -> Binding:
            now = self._load(session, context, Action.CONNECTOR_UPDATE, project, name)
            options = now.options if command.options is None else self._options(now.kind, command.options)
            return binding_of(now.project_id, now.id, now.kind, options)

        sealed = self._stored.seal(command.secret_value, bound)
        with self._database.write() as uow:
            connector = self._load(uow.session, context, Action.CONNECTOR_UPDATE, project, name)
            if expected_revision not in (None, connector.revision):
                raise ConnectorStaleError(
                    f"The storage connector is at revision {connector.revision}, not {expected_revision}."
                )
            _require_secret_named(connector, command)
            before = None if command.options is None else self._address(connector)
            self._apply(connector, command, sealed)
            if command.options is not None and self._address(connector) != before:
                self._require_empty(uow.session, context, project, connector)
            self._record(uow, context, Action.CONNECTOR_UPDATE, connector, options=connector.options)
            _commit_revision(uow)
            return self._info(connector, with_secret=True)

    def delete(self, context: RequestContext, project: str, name: str) -> None:
        with self._database.write() as uow:
            connector = self._load(uow.session, context, Action.CONNECTOR_DELETE, project, name)
            used_by = self._uses(uow.session, connector.id)
            if used_by:
                raise self._in_use(uow.session, context, project, used_by)
            uow.session.delete(connector)
            uow.flush_or(
                ConnectorInUseError(
                    "Something began to use the storage connector, or files of a deleted training dataset are still there.",
                    hint="Try again when a worker has removed them.",
                )
            )
            self._record(uow, context, Action.CONNECTOR_DELETE, connector)
            uow.commit()

    def test(self, context: RequestContext, project: str, name: str) -> ConnectorTestInfo:
        """Connect, log in and read one value, or list one file; the errors say which of these failed."""
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.CONNECTOR_TEST, project)
            if self._find_built_in(session, access, name) is not None:
                # Whatever they are called: all that is behind them is the project's part of the warehouse.
                kind, options = "HOPSFS", {"dataset_name": f"{access.project}_Training_Datasets"}
                login = Login(project)
            else:
                connector = ConnectorRepository(session).get(access.project_id, name)
                kind, options, login = connector.kind, dict(connector.options), Login.of(connector)
        tester = self._kinds.load(kind.lower()).test
        return self._secrets.use(login, lambda secret: _timed(partial(tester, project, options, secret)))

    def _apply(self, connector: StorageConnector, command: UpdateConnector, sealed: Bound | None) -> None:
        if command.description is not None:
            connector.description = command.description
        if command.options is not None:
            connector.options = self._options(connector.kind, command.options)
        if sealed is not None:
            connector.secret_ref = None
            self._stored.attach(connector, sealed)
        elif command.changes_secret:
            connector.stored_secret = None
            connector.secret_ref = self._reference(connector.project.name, command.secret)
        if command.options is not None or command.changes_secret:
            self._require_credentials(connector)
        connector.updated_at = self._clock.now()

    def _address(self, connector: StorageConnector) -> str | None:
        """Where its files are; None of one that holds none."""
        kind = self._kinds.load(connector.kind.lower())
        return kind.uri(connector.project.name, connector.options, "") if isinstance(kind, FileKind) else None

    def _require_empty(
        self, session: Session, context: RequestContext, project: str, connector: StorageConnector
    ) -> None:
        """Training datasets would be looked for elsewhere, and deleting one would remove what is called like its files there."""
        used_by = self._uses(session, connector.id)
        if used_by:
            raise self._in_use(session, context, project, used_by)

    def _options(self, kind: str, given: Mapping[str, Any]) -> Options:
        return self._kinds.load(kind.lower()).accept(given)

    def _info(self, connector: StorageConnector, *, with_secret: bool) -> ConnectorInfo:
        return ConnectorInfo.of(connector, self._external_id(connector), with_secret=with_secret)

    def _external_id(self, connector: StorageConnector) -> str | None:
        try:
            kind = self._kinds.load(connector.kind.lower())
        except InvalidInputError:  # of a package that is not installed any more: shown all the same
            return None
        if not isinstance(kind, CredentialKind):
            return None
        return kind.external_id(connector.project.name, dict(connector.options))

    def _require_credentials(self, connector: StorageConnector) -> None:
        kind = self._kinds.load(connector.kind.lower())
        if isinstance(kind, CredentialKind):
            kind.require_credentials(connector.options, has_secret=connector.has_secret)

    def _find_built_in(self, session: Session, access: Access, name: str) -> BuiltInConnector | None:
        """What a project stored before there were any of the name goes on being what that name means."""
        found = find_built_in(access.project, name)
        is_stored = found is not None and ConnectorRepository(session).find(access.project_id, name) is not None
        return None if is_stored else found

    def _reference(self, project: str, text: str | None) -> str | None:
        return None if text is None else str(self._secrets.require_own(project, text))

    def _may_change(self, session: Session, context: RequestContext, project: str) -> bool:
        try:
            self._authorizer.require(session, context.principal, Action.CONNECTOR_UPDATE, project)
        except NotPermittedError:
            return False
        return True

    def _in_use(
        self, session: Session, context: RequestContext, project: str, used_by: list[str]
    ) -> ConnectorInUseError:
        try:
            self._authorizer.require(session, context.principal, Action.FEATURE_GROUP_READ, project)
        except NotPermittedError:
            return ConnectorInUseError(f"{len(used_by)} feature groups or training datasets use the storage connector.")
        return ConnectorInUseError(
            f"Feature groups or training datasets use the storage connector: {', '.join(used_by[:20])}.",
            hint="Delete them first, or give them another source.",
        )

    def _load(
        self, session: Session, context: RequestContext, action: Action, project: str, name: str
    ) -> StorageConnector:
        access = self._authorizer.require(session, context.principal, action, project)
        return ConnectorRepository(session).get(access.project_id, name)

    def _record(
        self, uow: UnitOfWork, context: RequestContext, action: Action, connector: StorageConnector, **detail: object
    ) -> None:
        self._audit.record(
            uow.session, context, action, project_id=connector.project_id, subject=connector.name, **detail
        )


def _timed(test: Callable[[], None]) -> ConnectorTestInfo:
    started = time.perf_counter()
    test()
    return ConnectorTestInfo(round((time.perf_counter() - started) * 1000, 1))


def _require_one_secret(command: CreateConnector | UpdateConnector) -> None:
    if command.secret is not None and command.secret_value is not None:
        raise InvalidInputError(
            "Give either secret, a reference, or secret_value, the secret itself; not both.",
            hint="A reference is better: the gateway then keeps no secret.",
        )


def _require_secret_named(connector: StorageConnector, command: UpdateConnector) -> None:
    if command.options is not None and connector.has_secret and not command.changes_secret:
        raise InvalidInputError(
            "New options need the secret named or given again, or `secret: null`.",
            hint="A secret belongs to the place that it was given for.",
        )


def _commit_revision(uow: UnitOfWork) -> None:
    try:
        uow.commit()
    except StaleDataError as error:
        raise ConnectorStaleError("Somebody else changed the storage connector meanwhile; read it again.") from error
