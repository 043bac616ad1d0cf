"""Whether credentials are known to reach nothing but their table. Looked at before the first, then daily."""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from app.featurestore.vending.errors import VendingOffError
from app.featurestore.vending.models import VendingProof
from infra.clock import Clock
from infra.database.unit_of_work import Database
from infra.ports.vending import STAGES, Level, Minter, ProbeCheck, VendingUnavailableError

KEPT: Final = timedelta(hours=24)
_RENEWED_BEFORE: Final = timedelta(hours=1)
_PATIENCE: Final = timedelta(minutes=1)
_WAIT_SECONDS = 5.0
_STAGING_HINT: Final = "Send the rows to the gateway. Operators: docs/direct.md has what the role needs for writing."
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ProofInfo:
    """`why` says which checks failed; empty where none did."""

    checked_at: datetime
    passed: bool
    checks: tuple[ProbeCheck, ...]

    @property
    def why(self) -> str:
        failed = [check.name for check in self.checks if check.counts and not check.passed]
        return (
            f"A credential for one table is not held to it by the store. Failed: {', '.join(failed)}." if failed else ""
        )

    @classmethod
    def of(cls, proof: VendingProof) -> "ProofInfo":
        checks = tuple(ProbeCheck(**check) for check in proof.checks["items"])
        return cls(proof.checked_at, proof.passed, checks)


class Proofs:
    """`minter` None: the operator has no role for this."""

    def __init__(self, *, database: Database, minter: Minter | None, clock: Clock) -> None:
        self._database = database
        self._minter = minter
        self._clock = clock
        self._guard = threading.Lock()
        self._failure: str | None = None
        self._failure_until = clock.now()

    def find(self) -> ProofInfo | None:
        """The last one, however old."""
        if self._minter is None:
            return None
        with self._database.read() as session:
            found = session.get(VendingProof, _id(self._minter))
            return None if found is None else ProofInfo.of(found)

    def require(self, level: Level = Level.READ) -> Minter:
        """Raises VendingOffError unless there is a minter and its proof is of the last day; looks anew where it is older."""
        minter = self._require_minter()
        proof = self._fresh(KEPT)
        if not proof.passed:
            raise VendingOffError(proof.why, hint="The rows can be had through the gateway, as ever.")
        if level is Level.STAGE and not any(check.name == STAGES and check.passed for check in proof.checks):
            raise VendingOffError("The operator's role puts no objects into the warehouse.", hint=_STAGING_HINT)
        return minter

    def renew(self) -> ProofInfo | None:
        """For those who look daily, whether anybody asks or not; None where there is nothing to look at."""
        return None if self._minter is None else self._fresh(KEPT - _RENEWED_BEFORE)

    def check(self) -> ProofInfo:
        """Look now. Raises VendingUnavailableError where nothing can be told; what was found before then stands."""
        minter = self._require_minter()
        checks = tuple(minter.probe())
        passed = all(check.passed for check in checks if check.counts)
        proof = ProofInfo(self._clock.now(), passed, checks)
        self._keep(minter, proof)
        if not passed:
            _log.error("vending turned itself off", why=proof.why)
        return proof

    def _fresh(self, age: timedelta) -> ProofInfo:
        proof = self.find()
        if proof is not None and proof.checked_at > self._clock.now() - age:
            return proof
        # One look is enough for all. A slow store takes minutes over it, and all threads of a process must not wait for so long.
        if not self._guard.acquire(timeout=_WAIT_SECONDS):
            raise VendingUnavailableError("The store is being looked at at this moment.", retry_after=5)
        try:
            again = self.find()
            return self._looked() if again == proof or again is None else again
        finally:
            self._guard.release()

    def _looked(self) -> ProofInfo:
        """Whoever reads rows asks here on the way: where AWS is silent they must not all wait to learn it."""
        if self._failure is not None and self._failure_until > self._clock.now():
            raise VendingUnavailableError(self._failure, retry_after=_PATIENCE.seconds)
        try:
            proof = self.check()
        except VendingUnavailableError as error:
            self._failure, self._failure_until = error.detail, self._clock.now() + _PATIENCE
            raise
        self._failure = None
        return proof

    def _keep(self, minter: Minter, proof: ProofInfo) -> None:
        with self._database.write() as uow:
            uow.session.merge(
                VendingProof(
                    id=_id(minter),
                    minter=minter.name,
                    checked_at=proof.checked_at,
                    passed=proof.passed,
                    checks=_stored(proof.checks),
                )
            )
            # Only a first look can meet another one, and what that found nobody here knows.
            uow.flush_or(VendingUnavailableError("Another process looked at the store just now.", retry_after=1))
            uow.commit()

    def _require_minter(self) -> Minter:
        if self._minter is None:
            raise VendingOffError(
                "This gateway gives out no credentials: its operator has named no role for it.",
                hint="The rows can be had through the gateway. Operators: OAST_VENDING__ROLE.",
            )
        return self._minter


def _id(minter: Minter) -> str:
    return hashlib.sha256(minter.name.encode()).hexdigest()


def _stored(checks: Sequence[ProbeCheck]) -> dict[str, list[dict[str, object]]]:
    return {"items": [asdict(check) for check in checks]}
