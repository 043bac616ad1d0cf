"""From the text of a key to a principal. The same work and the same answer for every reason to refuse."""

import hmac
import threading
from datetime import datetime, timedelta

import structlog

from infra.clock import Clock
from infra.crypto import Pepper
from infra.database.unit_of_work import Database, DatabaseUnavailableError
from infra.errors import ConflictError
from tenancy.access import KeyNotValidError
from tenancy.api_keys.models import ApiKey, ApiKeyUse
from tenancy.api_keys.repository import ApiKeyRepository
from tenancy.api_keys.token import Token, find_token
from tenancy.principals import Principal
from tenancy.scopes import Scope, expand

_SEEN_INTERVAL = timedelta(minutes=1)
_NO_MAC = bytes(32)
_log = structlog.get_logger(__name__)


def key_mac(pepper: Pepper, token: Token) -> bytes:
    return pepper.mac("oast-key-v1", token.key_id, token.secret.reveal())


class Authenticator:
    """Looks keys up anew on every request: revocation holds from the next request on."""

    def __init__(self, *, database: Database, pepper: Pepper, clock: Clock, environment: str) -> None:
        self._database = database
        self._pepper = pepper
        self._clock = clock
        self._environment = environment
        self._seen: dict[str, datetime] = {}
        self._seen_lock = threading.Lock()

    def recognises(self, text: str) -> bool:  # noqa: ARG002 as sessions are asked
        """Never: what is a key and what only looks like one stands in the database."""
        return False

    def authenticate(self, text: str) -> Principal:
        """Raises KeyNotValidError, which tells nothing about the reason."""
        token = find_token(text)
        if token is None or token.environment != self._environment:
            raise _refused()
        presented = key_mac(self._pepper, token)
        with self._database.read() as session:
            key = ApiKeyRepository(session).find_presented(token.key_id)
            known = hmac.compare_digest(key.mac if key else _NO_MAC, presented)
            if key is None or not known or not self._is_alive(key):
                raise _refused()
            principal = _principal(key)
        self._note_use(token.key_id)
        return principal

    def _is_alive(self, key: ApiKey) -> bool:
        is_current = key.revoked_at is None and key.expires_at > self._clock.now()
        return is_current and (key.project_id is None or key.member is not None)

    def _note_use(self, key_id: str) -> None:
        now = self._clock.now()
        with self._seen_lock:
            if now - self._seen.get(key_id, datetime.min.replace(tzinfo=now.tzinfo)) < _SEEN_INTERVAL:
                return
            self._seen[key_id] = now
        try:
            with self._database.write() as uow:
                uow.session.merge(ApiKeyUse(key_id=key_id, last_used_at=now))
                uow.flush_or(ConflictError("another process noted the same use"))
                uow.commit()
        except (DatabaseUnavailableError, ConflictError):
            # Knowing when a key was used is worth less than answering the request.
            _log.warning("key use not recorded", key_id=key_id)


def _principal(key: ApiKey) -> Principal:
    return Principal(
        key_id=key.key_id,
        environment=key.environment,
        scopes=expand(Scope(scope) for scope in key.scopes),
        expires_at=key.expires_at,
        project_id=key.project_id,
        project=key.project.name if key.project else None,
        member=key.member_name,
        member_id=key.member_id,
        role=key.member.role if key.member else None,
    )


def _refused() -> KeyNotValidError:
    return KeyNotValidError(
        "The request carries no API key that is valid here.",
        hint="Send `Authorization: ApiKey oast_…`. Whether a key expired or was revoked stands in its project's list of keys.",
    )
