"""Proofs that were used: each is good for one login, whoever sends it again."""

from datetime import timedelta
from typing import Final

from sqlalchemy import delete

from infra.clock import Clock
from infra.database.unit_of_work import Database
from tenancy.role_bindings.errors import LoginReplayedError
from tenancy.role_bindings.models import LoginReplay

KEPT: Final = timedelta(minutes=20)
"""Longer than any clock lets a proof be good: STS takes one for 15 minutes, the gateway for 5."""


class UsedProofs:
    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def require_unused(self, signature: str) -> None:
        """Saves asking AWS once more; `use` decides."""
        with self._database.read() as session:
            if session.get(LoginReplay, signature) is not None:
                raise _replayed()

    def use(self, signature: str) -> None:
        """Of however many at once, one gets through. Raises LoginReplayedError."""
        with self._database.write() as uow:
            uow.session.add(LoginReplay(signature=signature, used_at=self._clock.now()))
            uow.flush_or(_replayed())
            uow.commit()

    def sweep(self) -> None:
        with self._database.write() as uow:
            uow.session.execute(delete(LoginReplay).where(LoginReplay.used_at < self._clock.now() - KEPT))
            uow.commit()


def _replayed() -> LoginReplayedError:
    return LoginReplayedError("The proof was used for a login before.", hint="Sign anew for each login.")
