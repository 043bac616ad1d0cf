"""Keeps the warehouse and the database together across crashes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

import structlog
from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.orm import Session

from app.featurestore.locations.models import Location, LocationState
from app.featurestore.warehouses.repository import WarehouseRepository
from infra.clock import Clock
from infra.database.unit_of_work import Database
from infra.errors import ConflictError, GatewayError, StorageUnavailableError
from infra.ids import IdFactory
from infra.ports.storage import ObjectStore
from infra.ports.warehouses import MARK
from tenancy.projects.models import Project

# A claim older than this belongs to a request that died: no upload is allowed to take nearly as long.
CLAIM_LIFETIME = timedelta(hours=24)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Elsewhere:
    """A place that is not in the warehouse: below what a storage connector leads to."""

    connector_id: UUID
    path: str


class ExternalFiles(Protocol):
    def require_apart(self, session: Session, project_id: UUID, elsewhere: Elsewhere) -> None:
        """Raise where another place of the project is inside this one or around it: clearing up one would reach the other."""

    def remove(self, project_id: UUID, elsewhere: Elsewhere, files: Sequence[str] | None) -> int:
        """Delete `files`, or where None what a writer of ours may have left; nothing else. Returns how many."""


class Locations:
    def __init__(
        self, *, database: Database, store: ObjectStore, clock: Clock, ids: IdFactory, external: ExternalFiles
    ) -> None:
        self._database = database
        self._store = store
        self._external = external
        self._clock = clock
        self._ids = ids

    def claim(
        self, project_id: UUID, elsewhere: Elsewhere | None = None, *, in_own: bool = False, prefix: str = ""
    ) -> str:
        """A fresh path `<project-uuid>/<uuid>`. Names never enter a path, so renaming or re-creating cannot collide.

        It is in the project's warehouse, if it has one: then `w=<warehouse-uuid>/` comes before. `in_own`: in the gateway's own
        all the same. `prefix` goes before the last part of it, for places that are no table's and no training dataset's.
        Of a place elsewhere it is only the key by which it is known here.
        """
        path = f"{project_id}/{prefix}{self._ids()}"
        with self._database.write() as uow:
            if elsewhere is None and not in_own:
                current = WarehouseRepository(uow.session).current(project_id, lock=True)
                path = path if current is None else f"{MARK}{current.id}/{path}"
            if elsewhere is not None:
                # One at a time: two that look before either is there would both find nobody.
                uow.session.get_one(Project, project_id, with_for_update={"key_share": True})
                self._external.require_apart(uow.session, project_id, elsewhere)
            uow.session.add(
                Location(
                    path=path,
                    project_id=project_id,
                    state=LocationState.CLAIMED.value,
                    changed_at=self._clock.now(),
                    connector_id=None if elsewhere is None else elsewhere.connector_id,
                    external_path=None if elsewhere is None else elsewhere.path,
                )
            )
            uow.flush_or(ConflictError("The storage connector was deleted a moment ago."))
            uow.commit()
        return path

    def mark(self, session: Session, path: str, state: LocationState, files: Sequence[str] | None = None) -> None:
        """Change the state in the transaction of the row that names the location. `files` are what there is to remove."""
        known = {} if files is None else {"files": list(files)}
        session.execute(
            update(Location)
            .where(Location.path == path)
            .values(state=state.value, changed_at=self._clock.now(), **known)
        )

    def abandon(self, path: str) -> None:
        """Give up a claim after a failure. What went live is left alone: a commit may have succeeded and yet raised.

        Where the claim cannot be given up now, it ends by itself.
        """
        try:
            with self._database.write() as uow:
                uow.session.execute(
                    update(Location)
                    .where(Location.path == path, Location.state == LocationState.CLAIMED.value)
                    .values(state=LocationState.DOOMED.value)
                )
                uow.commit()
            self.purge()
        except GatewayError as error:
            _log.warning("location not abandoned", path=path, error=error.detail)

    def purge(self) -> int:
        """Delete the bytes of doomed locations, dead claims and half-written files; returns how many locations went."""
        self._store.sweep(CLAIM_LIFETIME)
        doomed = Location.state == LocationState.DOOMED.value
        dead = and_(
            Location.state == LocationState.CLAIMED.value, Location.changed_at < self._clock.now() - CLAIM_LIFETIME
        )
        with self._database.read() as session:
            found = list(session.execute(select(Location.path, Location.connector_id).where(or_(doomed, dead))))
        silent: set[str] = set()
        gone = 0
        for path, connector_id in found:
            place = str(connector_id) if connector_id else _mark(path)
            # Each try at a store that is silent takes seconds, and somebody waits for this.
            if place not in silent:
                went = self._purge(path)
                gone += went
                silent |= {place} if place and not went else set()
        return gone

    def remove(self, path: str) -> bool:
        """Delete the bytes at `path` now; False, and a line in the log, where that fails."""
        try:
            files = self._store.delete_prefix(path)
        except StorageUnavailableError as error:
            _log.warning("location not removed", path=path, error=error.detail)
            return False
        _log.info("location removed", path=path, files=files)
        return True

    def _purge(self, path: str) -> bool:
        with self._database.read() as session:
            location = session.get(Location, path)
        if location is None:
            return False
        is_here = location.connector_id is None
        if not (self.remove(path) if is_here else self._remove_elsewhere(location)):
            return False
        with self._database.write() as uow:
            uow.session.execute(delete(Location).where(Location.path == path))
            uow.commit()
        return True

    def _remove_elsewhere(self, location: Location) -> bool:
        assert location.connector_id is not None
        elsewhere = Elsewhere(location.connector_id, location.external_path or "")
        try:
            files = self._external.remove(location.project_id, elsewhere, location.files)
        except GatewayError as error:
            # Its owner may have taken the rights away: it is tried again, and `oast fsck` tells.
            _log.warning("external location not removed", path=location.path, error=error.detail)
            return False
        _log.info("external location removed", path=location.path, files=files)
        return True


def _mark(path: str) -> str:
    """What the path of a place in a warehouse of a project begins with; empty of one in the gateway's own."""
    return path.partition("/")[0] if path.startswith(MARK) else ""
