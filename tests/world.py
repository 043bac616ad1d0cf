"""A gateway of a test's own: real app, real database, real warehouse, a clock that can be moved, a real socket."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from alembic import command
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import TestResponse

from app.bootstrap import build_container
from app.container import Container
from app.factory import create_app
from app.readiness import migration_config
from app.settings import LimitSettings, Settings, StatisticsSettings, WarehouseSettings
from hops.featurestore.connection import Connection, open_connection
from infra.crypto import Pepper
from infra.observability.logs import configure_logs
from infra.storage.location import Warehouse
from tenancy.actions import ShareKind
from tenancy.api_keys.service import CreateApiKey
from tenancy.members.service import SetMember
from tenancy.principals import Principal, RequestContext, Role
from tenancy.projects.service import CreateProject
from tenancy.scopes import DEFAULT_SCOPES, Scope
from tenancy.shares.service import OfferShare, ShareInfo

ALL_SCOPES = (*DEFAULT_SCOPES, Scope.DATA_VEND, Scope.KEYS_MANAGE)
OWNERS = {"football": "ada", "venues": "vera", "rivals": "rolf"}


class MovableClock:
    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class World:
    app: Flask
    container: Container
    clock: MovableClock
    directory: Path
    address: str = ""
    _keys: dict[tuple[object, ...], str] = field(default_factory=dict)

    @property
    def operator(self) -> RequestContext:
        expires = datetime.max.replace(tzinfo=UTC)
        return RequestContext(Principal("operator", "test", frozenset({Scope.OPERATOR}), expires), str(uuid4()))

    def project(self, name: str) -> str:
        """A project with its owner of `OWNERS`."""
        self.container.projects.create(self.operator, CreateProject(name, OWNERS[name]))
        return name

    def projects(self, *names: str) -> None:
        for name in names:
            self.project(name)

    def member(self, project: str, name: str, role: Role) -> str:
        self.container.members.set(self.operator, project, name, SetMember(role.label))
        return name

    def key(
        self, project: str, member: str | None = None, scopes: tuple[Scope, ...] = ALL_SCOPES, *, fresh: bool = False
    ) -> str:
        """A key's text; the same one for the same question, unless a fresh one is asked for."""
        asked = (project, member, scopes)
        if not fresh and asked in self._keys:
            return self._keys[asked]
        wanted = CreateApiKey("test key", member or OWNERS[project], scopes)
        made = self.container.api_keys.create(self.operator, project, wanted).key.reveal()
        return made if fresh else self._keys.setdefault(asked, made)

    def key_id(self, key: str) -> str:
        return key.split("_")[2]

    def context(self, project: str) -> RequestContext:
        return RequestContext(self.container.authenticator.authenticate(self.key(project)), str(uuid4()))

    def offer(self, owner: str, receiver: str, what: ShareKind, expires_at: datetime | None = None) -> ShareInfo:
        return self.container.shares.offer(self.context(owner), owner, OfferShare(receiver, what, expires_at))

    def share(
        self, owner: str, receiver: str, what: ShareKind = ShareKind.FEATURE_STORE, expires_at: datetime | None = None
    ) -> ShareInfo:
        """An accepted share."""
        offered = self.offer(owner, receiver, what, expires_at)
        return self.container.shares.accept(self.context(receiver), receiver, offered.id)

    def work(self) -> int:
        """Do what waits in the queue, here and now; returns how many runs that were."""
        done = 0
        while (attempt := self.container.runs.take("the test", per_project=10)) is not None:
            self.container.execution.execute(attempt)
            done += 1
        return done

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def call(self, method: str, path: str, key: str | None = None, **options: Any) -> TestResponse:
        """One request to `/api/v1<path>` with a key."""
        headers = {**options.pop("headers", {}), **({"Authorization": f"ApiKey {key}"} if key else {})}
        # Buffered: a streamed answer is read and closed here, whatever the test makes of it.
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **{"buffered": True, **options})

    def connect(self, project: str, key: str | None = None) -> Connection:
        """The SDK, over the socket, with a key from a file."""
        path = self.directory / f"{uuid4().hex}.key"
        path.touch(mode=0o600)
        path.write_text(key or self.key(project))
        return open_connection(self.address, project, secrets_store="local", api_key_file=str(path), quiet=True)


def make_world(
    directory: Path,
    database_url: str | None,
    warehouse: Warehouse,
    *,
    warehouse_settings: dict[str, Any] | None = None,
    **settings_: Any,
) -> World:
    """A migrated, empty gateway. `settings_` are further sections; statistics after each commit only where they say so."""
    options = warehouse.s3
    settings = Settings(
        environment="test",
        data_dir=directory,
        database_url=database_url,  # type: ignore[arg-type]  # pydantic makes the secret
        warehouse=WarehouseSettings(
            url=warehouse.url,
            region=options.region if options else None,
            endpoint_url=options.endpoint_url if options else None,
            access_key_id=options.access_key_id if options else None,
            secret_access_key=options.secret_access_key if options else None,  # type: ignore[arg-type]  # pydantic makes the secret
            **(warehouse_settings or {}),
        ),
        **{
            "statistics": StatisticsSettings(after_commits=False),
            # Tests try more, from one address, than anybody else does.
            "limits": LimitSettings(failures=0, logins=0),
            **settings_,
        },
    )
    configure_logs("error")
    Pepper.create(settings.resolved_pepper_file)
    command.upgrade(migration_config(settings.resolved_database_url), "head")
    clock = MovableClock()
    container = build_container(settings, clock)
    return World(create_app(container=container), container, clock, directory)


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 werkzeug's signature
        """The gateway logs its own requests."""


@contextmanager
def listening(world: World) -> Iterator[World]:
    """The world on a loopback socket."""
    server = make_server("127.0.0.1", 0, world.app, threaded=True, request_handler=_Quiet)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    world.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield world
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
        world.container.database.engine.dispose()
