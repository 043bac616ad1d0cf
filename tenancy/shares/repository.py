from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, or_, select, update
from sqlalchemy.orm import Session

from tenancy.actions import ShareKind
from tenancy.policy import Grant
from tenancy.shares.errors import ShareNotFoundError
from tenancy.shares.models import Share


class ShareRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def of_project(self, project_id: UUID) -> Select[Share]:
        return select(Share).where(or_(Share.owner_project_id == project_id, Share.receiver_project_id == project_id))

    def get(self, project_id: UUID, share_id: UUID) -> Share:
        """A share of which the project is one side, locked for change."""
        query = self.of_project(project_id).where(Share.id == share_id).with_for_update(of=Share)
        share = self._session.scalar(query)
        if share is None:
            raise ShareNotFoundError(f"The project has no share {share_id}.")
        return share

    def end_expired(self, owner_id: UUID, receiver_id: UUID, now: datetime) -> None:
        """Expired shares free their place for a new offer."""
        self._session.execute(
            update(Share)
            .where(Share.owner_project_id == owner_id, Share.receiver_project_id == receiver_id)
            .where(Share.state.in_(["pending", "accepted"]), Share.expires_at <= now)
            .values(state="expired")
        )

    def grants_to(self, receiver_id: UUID) -> list[Grant]:
        query = accepted_shares(receiver_id)
        return [
            Grant(share.id, share.owner_project_id, ShareKind(share.what), share.expires_at)
            for share in self._session.scalars(query)
        ]


def accepted_shares(receiver_id: UUID) -> Select[Share]:
    return select(Share).where(Share.receiver_project_id == receiver_id, Share.state == "accepted")
