"""Answers to requests that may be sent again.

A request claims its key before it has an effect; the answer is stored in the transaction of the effect, so that either
both exist or neither. What has effects outside the database (a Delta commit) is kept single by its own log, under `id`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import String, UniqueConstraint, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from infra.clock import Clock
from infra.database.base import Base
from infra.database.unit_of_work import Database
from infra.errors import ConflictError, InvalidInputError
from infra.ids import IdFactory

KEPT = timedelta(days=7)
# After this long without an answer the same request may run again. Short, so that a client whose gateway died waits
# little; safe, because two attempts at once still have one effect: a lease saves work, it does not guard anything.
LEASE = timedelta(seconds=5)


class RequestInProgressError(ConflictError):
    """The first request with this idempotency key has not answered yet."""

    code = "request-in-progress"
    title = "The first request still runs"


class IdempotencyKeyReusedError(InvalidInputError):
    """The idempotency key came before with another request."""

    code = "idempotency-key-reused"
    title = "The idempotency key belongs to another request"


class IdempotencyRecord(Base):
    __tablename__ = "idempotency_record"
    __table_args__ = (UniqueConstraint("owner", "key"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(128))
    fingerprint: Mapped[str] = mapped_column(String(64))
    answer: Mapped[dict[str, Any] | None]
    pinned: Mapped[int | None]
    attempt: Mapped[int]
    lease_until: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(index=True)


@dataclass(frozen=True)
class Claim:
    """The right to run a request. `answer` is set when it already ran; `attempt` counts from 1."""

    id: UUID
    answer: dict[str, Any] | None
    attempt: int


class IdempotencyLedger:
    def __init__(self, *, database: Database, clock: Clock, ids: IdFactory) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    def claim(self, owner: str, key: str, fingerprint: str) -> Claim:
        """Claim `key` for `owner`; raises RequestInProgressError or IdempotencyKeyReusedError."""
        with self._database.write() as uow:
            now = self._clock.now()
            record = uow.session.scalar(
                select(IdempotencyRecord)
                .where(IdempotencyRecord.owner == owner, IdempotencyRecord.key == key)
                .with_for_update()
            )
            if record is None:
                record = IdempotencyRecord(
                    id=self._ids(),
                    owner=owner,
                    key=key,
                    fingerprint=fingerprint,
                    lease_until=now + LEASE,
                    created_at=now,
                    attempt=1,
                )
                uow.session.add(record)
                uow.session.execute(delete(IdempotencyRecord).where(IdempotencyRecord.created_at < now - KEPT))
                uow.flush_or(_in_progress())
            else:
                _renew(record, fingerprint, now)
            uow.commit()
            return Claim(record.id, record.answer, record.attempt)

    def hold(self, claim_id: UUID) -> None:
        """A record for work that is kept single by other means, as a run of the queue is; it is there for `pin`."""
        with self._database.write() as uow:
            if uow.session.get(IdempotencyRecord, claim_id) is None:
                now = self._clock.now()
                uow.session.add(
                    IdempotencyRecord(
                        id=claim_id,
                        owner="",
                        key=str(claim_id),
                        fingerprint="",
                        attempt=1,
                        lease_until=now,
                        created_at=now,
                    )
                )
            uow.commit()

    def pin(self, claim_id: UUID, value: int) -> int:
        """Keep `value` with the first attempt and hand it to every later one: where each must look for the first's effect."""
        with self._database.write() as uow:
            record = uow.session.get_one(IdempotencyRecord, claim_id)
            record.pinned = value if record.pinned is None else record.pinned
            uow.commit()
            return record.pinned

    def find_pin(self, claim_id: UUID) -> int | None:
        """What an earlier attempt has pinned, if one came that far."""
        with self._database.read() as session:
            return session.scalar(select(IdempotencyRecord.pinned).where(IdempotencyRecord.id == claim_id))

    def is_pinned(self, claim_id: UUID) -> bool:
        """Whether an attempt came as far as to `pin`, after which its effect may be there."""
        return self.find_pin(claim_id) is not None

    def end_lease(self, claim: Claim) -> None:
        """The attempt failed and is over, perhaps with an effect: the same request may come again at once."""
        with self._database.write() as uow:
            uow.session.execute(
                update(IdempotencyRecord)
                .where(IdempotencyRecord.id == claim.id, IdempotencyRecord.attempt == claim.attempt)
                .values(lease_until=self._clock.now())
            )
            uow.commit()

    def find_answer(self, claim: Claim) -> dict[str, Any] | None:
        """The answer, where another attempt of the same request gave one meanwhile."""
        with self._database.read() as session:
            return session.scalar(select(IdempotencyRecord.answer).where(IdempotencyRecord.id == claim.id))

    def release(self, claim: Claim) -> None:
        """The request was refused without an effect: its key may be used for a corrected request.

        Only where no other attempt ever began: another one may be committing under this very record at this moment.
        """
        with self._database.write() as uow:
            alone = delete(IdempotencyRecord).where(
                IdempotencyRecord.id == claim.id, IdempotencyRecord.answer.is_(None), IdempotencyRecord.attempt == 1
            )
            uow.session.execute(alone)
            uow.commit()
        self.end_lease(claim)


def store_answer(session: Session, claim_id: UUID, answer: dict[str, Any]) -> None:
    """Keep the answer in the transaction of the effect."""
    record = session.get_one(IdempotencyRecord, claim_id)
    record.answer = answer


def _renew(record: IdempotencyRecord, fingerprint: str, now: datetime) -> None:
    if record.fingerprint != fingerprint:
        raise IdempotencyKeyReusedError(
            "This idempotency key was used for a different request.", hint="Make a new key."
        )
    if record.answer is None:
        if record.lease_until > now:
            raise _in_progress()
        record.lease_until = now + LEASE
        record.attempt += 1


def _in_progress() -> RequestInProgressError:
    return RequestInProgressError("The first request with this idempotency key has not finished.", retry_after=2)
