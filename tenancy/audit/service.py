"""The record of who changed what, through which key, in which request."""

from uuid import UUID

from sqlalchemy.orm import Session

from infra.clock import Clock
from infra.ids import IdFactory
from tenancy.actions import Action
from tenancy.audit.models import AuditEvent
from tenancy.principals import RequestContext


class AuditLog:
    def __init__(self, *, clock: Clock, ids: IdFactory) -> None:
        self._clock = clock
        self._ids = ids

    def record(
        self,
        session: Session,
        context: RequestContext,
        action: Action,
        *,
        project_id: UUID | None,
        subject: str,
        **detail: object,
    ) -> None:
        """Add the record to the transaction of the change, so that neither exists without the other."""
        session.add(
            AuditEvent(
                id=self._ids(),
                at=self._clock.now(),
                project_id=project_id,
                request_id=context.request_id,
                key_id=context.principal.key_id,
                actor=context.principal.name,
                action=action.value,
                subject=subject,
                detail=detail,
            )
        )
