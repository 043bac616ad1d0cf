"""The text of a session: a JWT that this gateway signs with Ed25519 and that nobody else can make or change."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import jwt

from infra.clock import Clock
from infra.crypto import SecretValue
from tenancy.principals import Role
from tenancy.scopes import Scope
from tenancy.sessions.keys import Key, KeyRing

LIFE: Final = timedelta(minutes=15)
LEEWAY: Final = timedelta(seconds=30)
_TYPE: Final = "at+jwt"
_ALGORITHM: Final = "EdDSA"
_VERSION: Final = 1
_MOST_CHARACTERS: Final = 4096
_CLAIMS: Final = frozenset({"iss", "aud", "sub", "prj", "rid", "rol", "scp", "jti", "iat", "nbf", "exp", "ver"})


@dataclass(frozen=True)
class SessionClaims:
    """What a session says. `subject` is the role binding, `role_unique_id` whom it was bound to."""

    subject: UUID
    project_id: UUID
    role_unique_id: str
    role: Role
    scopes: frozenset[Scope]
    expires_at: datetime


@dataclass(frozen=True)
class IssuedSession:
    """A session's text, sent once to who logged in."""

    token: SecretValue
    expires_at: datetime


class SessionTokens:
    """`audience` is the gateway's public name; without one there are no sessions."""

    def __init__(self, *, keys: KeyRing, clock: Clock, environment: str, audience: str | None) -> None:
        self.keys = keys
        self._clock = clock
        self._issuer = f"oasthouse/{environment}"
        self._audience = audience

    def issue(
        self, subject: UUID, project_id: UUID, role_unique_id: str, role: Role, scopes: list[str]
    ) -> IssuedSession:
        now = self._clock.now()
        key, expires_at = self.keys.current(), int((now + LIFE).timestamp())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": subject.hex,
            "prj": project_id.hex,
            "rid": role_unique_id,
            "rol": role.label,
            "scp": scopes,
            "jti": secrets.token_hex(16),
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": expires_at,
            "ver": _VERSION,
        }
        token = jwt.encode(claims, key.private, algorithm=_ALGORITHM, headers={"typ": _TYPE, "kid": key.kid})
        return IssuedSession(SecretValue(token), datetime.fromtimestamp(expires_at, UTC))

    def recognises(self, text: str) -> bool:
        """Whether it is such a session, of a key that this process has; the database is not asked."""
        return self._verified(text, self.keys.known) is not None

    def verify(self, text: str) -> SessionClaims | None:
        """None for everything that is not a session of this gateway, alive at this moment."""
        return self._verified(text, self.keys.find)

    def _verified(self, text: str, find: Callable[[str], Key | None]) -> SessionClaims | None:
        if self._audience is None or len(text) > _MOST_CHARACTERS:
            return None
        try:
            header = jwt.get_unverified_header(text)
            # Nothing in a header is followed: the key's id is looked up among our own, the rest is compared.
            if header.keys() != {"alg", "typ", "kid"} or (header["alg"], header["typ"]) != (_ALGORITHM, _TYPE):
                return None
            key = find(header["kid"])
            if key is None:
                return None
            claims = self._decoded(text, key.private.public_key())
            return _read(claims) if self._is_ours(claims) else None
        except (jwt.InvalidTokenError, ValueError, TypeError, KeyError):
            return None

    def _decoded(self, text: str, public_key: Any) -> dict[str, Any]:
        # Times are compared below, with the gateway's own clock.
        return jwt.decode(
            text,
            public_key,
            algorithms=[_ALGORITHM],
            audience=self._audience,
            issuer=self._issuer,
            options={
                "require": sorted(_CLAIMS),
                "strict_aud": True,
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )

    def _is_ours(self, claims: Mapping[str, Any]) -> bool:
        times = [claims[name] for name in ("iat", "nbf", "exp")]
        if claims.keys() != _CLAIMS or claims["ver"] != _VERSION or not all(type(each) is int for each in times):
            return False
        now, leeway = self._clock.now().timestamp(), LEEWAY.total_seconds()
        iat, nbf, exp = times
        return bool(exp > now - leeway and max(iat, nbf) <= now + leeway and exp - iat <= LIFE.total_seconds())


def _read(claims: Mapping[str, Any]) -> SessionClaims:
    return SessionClaims(
        subject=UUID(hex=claims["sub"]),
        project_id=UUID(hex=claims["prj"]),
        role_unique_id=str(claims["rid"]),
        role=Role[claims["rol"].upper()],
        scopes=frozenset(Scope(scope) for scope in claims["scp"]),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC) + LEEWAY,
    )
