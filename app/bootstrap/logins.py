"""How AWS roles come in without a stored key, and how often anybody may try to."""

from dataclasses import dataclass

from app.bootstrap.parts import Parts
from app.settings import LoginSettings
from infra.identity.sts import StsIdentityProvider
from infra.ids import new_id
from infra.limits.counters import WindowCounter
from infra.ports.identity import IdentityProvider
from tenancy.attempts import Attempts
from tenancy.role_bindings.authentication import SessionAuthenticator
from tenancy.role_bindings.login import LoginService
from tenancy.role_bindings.service import RoleBindingService
from tenancy.sessions.keys import KeyRing
from tenancy.sessions.tokens import SessionTokens


@dataclass(frozen=True)
class Logins:
    service: LoginService
    sessions: SessionAuthenticator
    role_bindings: RoleBindingService
    attempts: Attempts


def build_logins(parts: Parts) -> Logins:
    environment, settings = parts.settings.environment, parts.settings.login
    keys = KeyRing(database=parts.database, pepper=parts.pepper, clock=parts.clock)
    tokens = SessionTokens(keys=keys, clock=parts.clock, environment=environment, audience=settings.server_id)
    return Logins(
        service=LoginService(
            database=parts.database,
            clock=parts.clock,
            audit=parts.audit,
            tokens=tokens,
            provider=_provider(settings),
            environment=environment,
        ),
        sessions=SessionAuthenticator(
            database=parts.database, clock=parts.clock, tokens=tokens, environment=environment
        ),
        role_bindings=RoleBindingService(**parts.writing, ids=new_id),
        attempts=_attempts(parts),
    )


def _attempts(parts: Parts) -> Attempts:
    limits = parts.settings.limits
    url = limits.url.get_secret_value() if limits.url else None
    counter = WindowCounter(url, f"oasthouse/{parts.pepper.id}")
    return Attempts(counter=counter, failures=limits.failures, logins=limits.logins)


def _provider(settings: LoginSettings) -> IdentityProvider | None:
    if settings.server_id is None:
        return None
    return StsIdentityProvider(
        server_id=settings.server_id, regions=settings.listed_regions, endpoint_url=settings.endpoint_url
    )
