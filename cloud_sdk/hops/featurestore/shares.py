"""Sharing a project's feature store or training datasets with another project."""

from __future__ import annotations

from typing import List, Optional

from hops.featurestore.metadata import Share, from_json
from hops.featurestore.session import Operations, url_path


class ShareOperations(Operations):
    def offer_share(self, receiver: str, what: str = "feature_store", *, expires_at: Optional[str] = None) -> Share:
        """`what` is `feature_store` or `training_datasets`. Nothing is visible until the receiver accepts."""
        body = {"receiver": receiver, "what": what, **({"expires_at": expires_at} if expires_at else {})}
        return from_json(Share, self._session.send("POST", self._shares_path(), body))

    def list_shares(self) -> List[Share]:
        """Offered by and offered to this project, in every state."""
        return [from_json(Share, each) for each in self._session.pages(self._shares_path())]

    def accept_share(self, share_id: str) -> Share:
        return from_json(Share, self._session.send("POST", self._shares_path(share_id, "accept")))

    def decline_share(self, share_id: str) -> Share:
        return from_json(Share, self._session.send("POST", self._shares_path(share_id, "decline")))

    def end_share(self, share_id: str) -> None:
        """From the next request on the receiver sees nothing of it."""
        self._session.send("DELETE", self._shares_path(share_id))

    def _shares_path(self, *rest: str) -> str:
        return url_path("projects", self._session.project, "shares", *rest)
