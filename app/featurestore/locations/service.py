"""Keeps the warehouse and the database together across crashes."""

from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.orm import Session

from app.featurestore.locations.models import Location, LocationState
from infra.clock import Clock
from infra.database.unit_of_work import Database
from infra.errors import GatewayError, StorageUnavailableError
from infra.ids import IdFactory
from infra.ports.storage import ObjectStore

# A claim older than this belongs to a request that died: no upload is allowed to take nearly as long.
CLAIM_LIFETIME = timedelta(hours=24)
_log = structlog.get_logger(__name__)


class Locations:
    def __init__(self, *, database: Database, store: ObjectStore, clock: Clock, ids: IdFactory) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._ids = ids

    def claim(self, project_id: UUID) -> str:
        """A fresh path `<project-uuid>/<uuid>`. Names never enter a path, so renaming or re-creating cannot collide."""
        path = f"{project_id}/{self._ids()}"
        with self._database.write() as uow:
            uow.session.add(
                Location(
                    path=path,
                    project_id=project_id,
                    state=LocationState.CLAIMED.value,
                    changed_at=self._clock.now(),
                )
            )
            uow.commit()
        return path

    def mark(self, session: Session, path: str, state: LocationState) -> None:
        """Change the state in the transaction of the row that names the location."""
        session.execute(
            update(Location).where(Location.path == path).values(state=state.value, changed_at=self._clock.now())
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
            paths = list(session.scalars(select(Location.path).where(or_(doomed, dead))))
        return sum(self._purge(path) for path in paths)

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
        if not self.remove(path):
            return False
        with self._database.write() as uow:
            uow.session.execute(delete(Location).where(Location.path == path))
            uow.commit()
        return True
