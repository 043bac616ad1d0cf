"""Why an AWS role could not log in: refusals of the gateway, one class per cause."""

from __future__ import annotations

from hops.featurestore.errors import NotAuthenticatedError, NotFoundError, UnavailableError


class LoginRefusedError(NotAuthenticatedError):
    """The gateway, or AWS, did not take the login of an AWS role; one class per cause."""

    code = "login-identity-refused"


class LoginProofError(LoginRefusedError):
    code = "login-proof-not-valid"


class LoginRegionError(LoginRefusedError):
    code = "login-region-not-accepted"


class LoginOutOfTimeError(LoginRefusedError):
    code = "login-out-of-time"


class LoginForOtherServerError(LoginRefusedError):
    code = "login-for-other-server"


class LoginReplayedError(LoginRefusedError):
    code = "login-replayed"


class LoginNotRoleError(LoginRefusedError):
    code = "login-not-a-role"


class RoleNotBoundError(LoginRefusedError):
    """The role is real and nobody bound it to the project; the hint is the command that does."""

    code = "role-not-bound"


class LoginNotEnabledError(NotFoundError):
    code = "login-not-enabled"


class LoginUnavailableError(UnavailableError):
    code = "login-unavailable"
