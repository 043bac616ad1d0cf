"""Who somebody is, as a third party vouches for it. Implementation: `infra/identity/sts.py`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from infra.errors import NotAuthenticatedError, UnavailableError


class LoginProofInvalidError(NotAuthenticatedError):
    """Not the one form of a signed question that is ever sent on."""

    code = "login-proof-not-valid"
    title = "The login proof is not valid"


class LoginRegionNotAcceptedError(NotAuthenticatedError):
    """A region that the operator does not list, or that is none."""

    code = "login-region-not-accepted"
    title = "Logins of this region are not accepted"


class LoginOutOfTimeError(NotAuthenticatedError):
    """Signed too long ago, or in the future."""

    code = "login-out-of-time"
    title = "The login proof is not of this time"


class LoginForOtherServerError(NotAuthenticatedError):
    """Signed for a gateway of another name."""

    code = "login-for-other-server"
    title = "The login proof is for another gateway"


class IdentityRefusedError(NotAuthenticatedError):
    """Who was asked does not vouch for the caller."""

    code = "login-identity-refused"
    title = "The identity could not be proven"


class IdentityUnavailableError(UnavailableError):
    """Who could vouch does not answer, or not in a form that is understood."""

    code = "login-unavailable"
    title = "Logins cannot be checked at present"


@dataclass(frozen=True)
class LoginProof:
    """What a client sends in place of a key: the variable parts of a question to AWS that it signed. None is sent on unread."""

    region: str
    server_id: str
    nonce: str
    amz_date: str
    authorization: str
    security_token: str

    def __repr__(self) -> str:
        # The token alone is of little use, and is nobody's business all the same.
        return f"LoginProof(region={self.region!r}, server_id={self.server_id!r})"


@dataclass(frozen=True)
class CallerIdentity:
    """As AWS names it."""

    arn: str
    account: str
    user_id: str


class IdentityProvider(Protocol):
    def check(self, proof: LoginProof, now: datetime) -> str:
        """The proof's signature, by which it is used once. Asks nobody; raises a subclass of NotAuthenticatedError."""

    def identify(self, proof: LoginProof, now: datetime) -> CallerIdentity:
        """Of a proof that `check` let pass. Raises IdentityRefusedError or IdentityUnavailableError."""
