"""Whether the gateway's own warehouse is known to let one of many writers. Looked at before serving, and daily at most."""

import hashlib
from contextlib import suppress
from datetime import timedelta
from typing import Final

from app.featurestore.warehouses.models import CommitProof
from infra.clock import Clock
from infra.database.unit_of_work import Database
from infra.errors import ConflictError
from infra.ports.storage import ObjectStore

KEPT: Final = timedelta(hours=24)


class CommitProofs:
    """`name` is of warehouse and store: what was proven of one says nothing of another."""

    def __init__(self, *, database: Database, store: ObjectStore, clock: Clock, name: str) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._name = name
        self._id = hashlib.sha256(name.encode()).hexdigest()

    def require(self) -> None:
        """Looks where nobody has within a day. Raises StorageUnavailableError where commits could lose each other."""
        with self._database.read() as session:
            found = session.get(CommitProof, self._id)
        if found is None or found.proven_at <= self._clock.now() - KEPT:
            self.check()

    def check(self) -> None:
        """Looks now. What fails is not kept, and so looked at again by whoever asks next."""
        with self._database.write() as uow:
            found = uow.session.get(CommitProof, self._id)
            if found is not None:
                uow.session.delete(found)
            uow.commit()
        self._store.race()
        # Two processes that start together find the same, and one of them is first to say so.
        with suppress(ConflictError), self._database.write() as uow:
            uow.session.merge(CommitProof(id=self._id, warehouse=self._name, proven_at=self._clock.now()))
            uow.flush_or(ConflictError("Another process has kept the same proof."))
            uow.commit()
