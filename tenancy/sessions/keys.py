"""The keys that sessions are signed with. All processes of a gateway share them through the database.

The next key is published long before it signs anything, so that no process ever meets a session whose key it does not know;
the one before stays until the last session signed with it is over.
"""

import re
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete, func, select

from infra.clock import Clock
from infra.crypto import Pepper
from infra.database.unit_of_work import Database
from infra.errors import ConflictError
from infra.sealing import Sealer
from tenancy.sessions.models import SigningKey

PERIOD: Final = timedelta(days=7)
LEAD: Final = timedelta(hours=1)
KEPT: Final = timedelta(hours=1)
"""After its successor began: longer than any session lives."""
_REFRESH_SECONDS: Final = 60.0
# A session of an unknown key makes us look; whoever sends a thousand of them has us look ten times in a second.
_LOOK_SECONDS: Final = 0.1
_KID: Final = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Key:
    generation: int
    kid: str
    active_from: datetime
    private: Ed25519PrivateKey


class KeyRing:
    """`period` and `lead` are for tests, which have no week."""

    def __init__(
        self, *, database: Database, pepper: Pepper, clock: Clock, period: timedelta = PERIOD, lead: timedelta = LEAD
    ) -> None:
        self._database = database
        self._pepper = pepper
        self._clock = clock
        self._sealer = Sealer(pepper.mac("oast-signing-keys-v1"))
        self._keys: dict[str, Key] = {}
        self._looked_at = float("-inf")
        self._lock = threading.Lock()
        self.period = period
        self.lead = lead

    def current(self) -> Key:
        """What to sign with at this moment."""
        now = self._clock.now()
        self._look(_REFRESH_SECONDS)
        if not self._keys:
            self._publish(None, now)
        newest = max(self._keys.values(), key=lambda key: key.generation)
        if newest.active_from + self.period - self.lead <= now:
            self._publish(newest, max(newest.active_from + self.period, now + self.lead))
        # A process whose clock is a little behind may meet a first key of the future.
        keys = sorted(self._keys.values(), key=lambda key: key.generation)
        return next((key for key in reversed(keys) if key.active_from <= now), keys[0])

    def known(self, kid: str) -> Key | None:
        """One that this process has read already."""
        return self._keys.get(kid)

    def find(self, kid: str) -> Key | None:
        """A key that was published before this was asked is found, by whichever process."""
        asked = time.monotonic()
        self._look(_REFRESH_SECONDS)
        if kid not in self._keys and _KID.fullmatch(kid):
            self._look_since(asked)
        return self._keys.get(kid)

    def sweep(self) -> None:
        """Remove keys that no living session was signed with."""
        now = self._clock.now()
        with self._database.write() as uow:
            began = select(func.max(SigningKey.generation)).where(SigningKey.active_from <= now - KEPT)
            in_use = uow.session.scalar(began)
            if in_use is not None:
                uow.session.execute(delete(SigningKey).where(SigningKey.generation < in_use))
            uow.commit()

    def _look(self, seconds: float) -> None:
        """Read the keys, unless that was done within so many seconds.

        Then without the lock: whoever sends sessions of unknown keys has it held for most of the time.
        """
        if self._keys and not self._is_due(seconds):
            return
        with self._lock:
            if self._is_due(seconds):
                self._load()

    def _is_due(self, seconds: float) -> bool:
        return time.monotonic() - self._looked_at >= seconds

    def _look_since(self, asked: float) -> None:
        """For whom nobody has looked yet; all who wait meanwhile are served by the one look."""
        with self._lock:
            if self._looked_at < asked:
                time.sleep(max(0.0, self._looked_at + _LOOK_SECONDS - time.monotonic()))
                self._load()

    def _load(self) -> None:
        # Before reading: what is published meanwhile is looked for again, not missed.
        self._looked_at = time.monotonic()
        with self._database.read() as session:
            rows = session.scalars(select(SigningKey).where(SigningKey.pepper_id == self._pepper.id)).all()
        opened = [key for key in map(self._open, rows) if key is not None]
        self._keys = {key.kid: key for key in opened}

    def _open(self, row: SigningKey) -> Key | None:
        secret = self._sealer.open(row.sealed, _context(row.generation, row.kid))
        if secret is None:
            return None
        return Key(row.generation, row.kid, row.active_from, Ed25519PrivateKey.from_private_bytes(secret))

    def _publish(self, last: Key | None, active_from: datetime) -> None:
        """The key after `last`, unless another thread or process was first: its key serves as well."""
        with self._lock:
            with suppress(ConflictError):
                self._insert(last, active_from)
            self._load()

    def _insert(self, last: Key | None, active_from: datetime) -> None:
        kid, secret = secrets.token_hex(8), Ed25519PrivateKey.generate().private_bytes_raw()
        with self._database.write() as uow:
            generation = (uow.session.scalar(select(func.max(SigningKey.generation))) or 0) + 1
            own = select(func.max(SigningKey.generation)).where(SigningKey.pepper_id == self._pepper.id)
            if uow.session.scalar(own) != (last.generation if last else None):
                return
            uow.session.add(
                SigningKey(
                    generation=generation,
                    kid=kid,
                    pepper_id=self._pepper.id,
                    sealed=self._sealer.seal(secret, _context(generation, kid)),
                    active_from=active_from,
                    created_at=self._clock.now(),
                )
            )
            uow.flush_or(ConflictError("another process made the next key"))
            uow.commit()


def _context(generation: int, kid: str) -> str:
    return f"signing key {generation} {kid}"
