"""From the text of a session to a principal, by the binding as it is now."""

from datetime import datetime

from infra.clock import Clock
from infra.database.unit_of_work import Database
from tenancy.access import KeyNotValidError
from tenancy.principals import Principal
from tenancy.role_bindings.models import RoleBinding
from tenancy.role_bindings.repository import RoleBindingRepository
from tenancy.scopes import Scope, expand
from tenancy.sessions.tokens import SessionClaims, SessionTokens


class SessionAuthenticator:
    """Looks the binding up anew on every request: unbinding a role, and removing its member, hold from the next one on."""

    def __init__(self, *, database: Database, clock: Clock, tokens: SessionTokens, environment: str) -> None:
        self._database = database
        self._clock = clock
        self._tokens = tokens
        self._environment = environment

    def recognises(self, text: str) -> bool:
        """Whether this gateway made it and it has not ended; whether it still counts is for `authenticate` to say."""
        return self._tokens.recognises(text)

    def authenticate(self, text: str) -> Principal:
        """Raises KeyNotValidError, which tells nothing about the reason."""
        claims = self._tokens.verify(text)
        if claims is None:
            raise _refused()
        with self._database.read() as session:
            binding = RoleBindingRepository(session).find_presented(claims.subject)
            if binding is None or binding.member is None or not _is_of(claims, binding):
                raise _refused()
            return session_principal(binding, self._environment, claims.expires_at, claims, self._clock.now())


def session_principal(
    binding: RoleBinding,
    environment: str,
    expires_at: datetime,
    claims: SessionClaims | None = None,
    asked_at: datetime | None = None,
) -> Principal:
    """What the binding allows now, and the session when it was issued: the less of the two."""
    scopes, role = expand(Scope(scope) for scope in binding.scopes), binding.role
    if claims is not None:
        scopes &= expand(claims.scopes)
        role = min(role, claims.role) if role is not None else None
    return Principal(
        key_id=binding.id.hex,
        environment=environment,
        scopes=scopes,
        expires_at=expires_at,
        project_id=binding.project_id,
        project=binding.project.name,
        member=binding.member_name,
        member_id=binding.member_id,
        role=role,
        binding_id=binding.id,
        asked_at=asked_at,
    )


def _is_of(claims: SessionClaims, binding: RoleBinding) -> bool:
    return (claims.project_id, claims.role_unique_id) == (binding.project_id, binding.role_unique_id)


def _refused() -> KeyNotValidError:
    return KeyNotValidError(
        "The request carries no session that is valid here.",
        hint="Log in again; a session lives for 15 minutes, and ends when its role is unbound.",
    )
