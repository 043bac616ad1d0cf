from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from tenancy.api_keys.errors import ApiKeyNotFoundError
from tenancy.api_keys.models import ApiKey


class ApiKeyRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def find_presented(self, key_id: str) -> ApiKey | None:
        """The only query without a project: it is what tells us the project."""
        return self._session.scalar(select(ApiKey).where(ApiKey.key_id == key_id))

    def get(self, project_id: UUID, key_id: str) -> ApiKey:
        query = self.of_project(project_id).where(ApiKey.key_id == key_id)
        key = self._session.scalar(query.with_for_update(of=ApiKey))
        if key is None:
            raise ApiKeyNotFoundError(f"The project has no API key {key_id[:32]!r}.")
        return key

    def has_live_operator_key(self, now: datetime, pepper_id: str) -> bool:
        """Whether one works: keys made under another pepper are void."""
        alive = self.of_operators().where(ApiKey.revoked_at.is_(None), ApiKey.expires_at > now)
        return self._session.scalar(alive.where(ApiKey.pepper_id == pepper_id).limit(1)) is not None

    def get_operator_key(self, key_id: str) -> ApiKey:
        key = self._session.scalar(self.of_operators().where(ApiKey.key_id == key_id))
        if key is None:
            raise ApiKeyNotFoundError(f"There is no operator key {key_id[:32]!r}.")
        return key

    def of_operators(self) -> Select[ApiKey]:
        return select(ApiKey).where(ApiKey.project_id.is_(None))

    def of_project(self, project_id: UUID) -> Select[ApiKey]:
        return select(ApiKey).where(ApiKey.project_id == project_id)
