from infra.errors import ConflictError, NotFoundError, NotPermittedError


class ApiKeyNotFoundError(NotFoundError):
    """No such key in the project."""

    code = "api-key-not-found"
    title = "No such API key"


class KeyWiderThanCallerError(NotPermittedError):
    """A key can make only keys that can do no more and live no longer than itself."""

    code = "key-wider-than-caller"
    title = "A key cannot make a wider one"


class ApiKeyInactiveError(ConflictError):
    """Expired or revoked keys cannot be rotated."""

    code = "api-key-inactive"
    title = "The API key is not active"


class AlreadyInitialisedError(ConflictError):
    """`oast init` gives out one operator key as long as one works."""

    code = "already-initialised"
    title = "The gateway is initialised"
