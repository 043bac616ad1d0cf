"""Use cases around sharing: one project offers, another accepts, either ends it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from infra.clock import Clock
from infra.database.paging import Page, PageRequest, paginate
from infra.database.unit_of_work import Database
from infra.errors import InvalidInputError
from infra.ids import IdFactory
from tenancy.access import Authorizer, ProjectNotFoundError
from tenancy.actions import Action, ShareKind
from tenancy.audit.service import AuditLog
from tenancy.names import require_name
from tenancy.principals import RequestContext
from tenancy.projects.repository import ProjectRepository
from tenancy.shares.errors import (
    ShareAnsweredError,
    ShareExistsError,
    ShareNotFoundError,
    ShareWithItselfError,
)
from tenancy.shares.models import Share
from tenancy.shares.repository import ShareRepository


@dataclass(frozen=True)
class OfferShare:
    receiver: str
    what: ShareKind
    expires_at: datetime | None = None


@dataclass(frozen=True)
class ShareInfo:
    id: UUID
    owner: str
    receiver: str
    what: str
    state: str
    offered_by: str
    offered_at: datetime
    answered_by: str | None
    answered_at: datetime | None
    expires_at: datetime | None

    @classmethod
    def of(cls, share: Share, now: datetime) -> "ShareInfo":
        is_over = share.expires_at is not None and share.expires_at <= now
        return cls(
            id=share.id,
            owner=share.owner.name,
            receiver=share.receiver.name,
            what=share.what,
            state="expired" if is_over and share.state in ("pending", "accepted") else share.state,
            offered_by=share.offered_by,
            offered_at=share.offered_at,
            answered_by=share.answered_by,
            answered_at=share.answered_at,
            expires_at=share.expires_at,
        )


class ShareService:
    def __init__(
        self, *, database: Database, authorizer: Authorizer, audit: AuditLog, clock: Clock, ids: IdFactory
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._audit = audit
        self._clock = clock
        self._ids = ids

    def offer(self, context: RequestContext, project: str, command: OfferShare) -> ShareInfo:
        """Offer; nothing is visible to the receiver's members before one of its data owners accepts.

        The receiver must exist, so that a typing error does not become an offer to a stranger who takes the name later.
        """
        now = self._clock.now()
        if command.expires_at is not None and command.expires_at <= now:
            raise InvalidInputError("The share would have expired already.")
        with self._database.write() as uow:
            access = self._authorizer.require(uow.session, context.principal, Action.SHARE_OFFER, project)
            receiver = ProjectRepository(uow.session).find(require_name(command.receiver, "project"))
            if receiver is None:
                raise ProjectNotFoundError(f"There is no project {command.receiver!r}.")
            if receiver.id == access.project_id:
                raise ShareWithItselfError("A project sees its own feature groups and training datasets already.")
            ShareRepository(uow.session).end_expired(access.project_id, receiver.id, now)
            share = Share(
                id=self._ids(),
                owner_project_id=access.project_id,
                receiver_project_id=receiver.id,
                what=command.what.value,
                state="pending",
                offered_by=context.principal.name,
                offered_at=now,
                expires_at=command.expires_at,
            )
            uow.session.add(share)
            uow.flush_or(ShareExistsError(f"{command.what.value} is offered to {command.receiver!r} already."))
            self._audit.record(
                uow.session,
                context,
                Action.SHARE_OFFER,
                project_id=access.project_id,
                subject=str(share.id),
                receiver=command.receiver,
                what=command.what.value,
            )
            uow.commit()
            return ShareInfo.of(share, now)

    def accept(self, context: RequestContext, project: str, share_id: UUID) -> ShareInfo:
        return self._answer(context, project, share_id, "accepted")

    def decline(self, context: RequestContext, project: str, share_id: UUID) -> ShareInfo:
        return self._answer(context, project, share_id, "declined")

    def end(self, context: RequestContext, project: str, share_id: UUID) -> None:
        """Either side ends it; from the next request on nothing is visible. Ending twice is no error."""
        with self._database.write() as uow:
            access = self._authorizer.require(uow.session, context.principal, Action.SHARE_END, project)
            share = ShareRepository(uow.session).get(access.project_id, share_id)
            if share.state in ("pending", "accepted"):
                share.state = "ended"
                share.ended_at = self._clock.now()
                share.ended_by = context.principal.name
            self._audit.record(
                uow.session, context, Action.SHARE_END, project_id=access.project_id, subject=str(share_id)
            )
            uow.commit()

    def list_shares(self, context: RequestContext, project: str, page: PageRequest) -> Page[ShareInfo]:
        """What the project offers and what it is offered, ended shares included."""
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.SHARE_LIST, project)
            query = ShareRepository(session).of_project(access.project_id)
            now = self._clock.now()
            return paginate(session, query, page, [Share.id]).map(lambda share: ShareInfo.of(share, now))

    def _answer(self, context: RequestContext, project: str, share_id: UUID, state: str) -> ShareInfo:
        with self._database.write() as uow:
            access = self._authorizer.require(uow.session, context.principal, Action.SHARE_ANSWER, project)
            share = ShareRepository(uow.session).get(access.project_id, share_id)
            if share.receiver_project_id != access.project_id:
                raise ShareNotFoundError(f"The project was offered no share {share_id}.")
            now = self._clock.now()
            info = ShareInfo.of(share, now)
            if info.state != "pending":
                raise ShareAnsweredError(f"The share is {info.state}, not pending.")
            share.state = state
            share.answered_at = now
            share.answered_by = context.principal.name
            self._audit.record(
                uow.session,
                context,
                Action.SHARE_ANSWER,
                project_id=access.project_id,
                subject=str(share_id),
                answer=state,
            )
            uow.commit()
            return ShareInfo.of(share, now)
