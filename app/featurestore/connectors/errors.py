from infra.errors import ConflictError, ErrorKind, InvalidInputError, NotFoundError


class ConnectorNotFoundError(NotFoundError):
    """No such connector in a project that the caller sees."""

    code = "connector-not-found"
    title = "No such storage connector"


class ConnectorExistsError(ConflictError):
    """The name is taken."""

    code = "connector-exists"
    title = "The storage connector exists"


class ConnectorInUseError(ConflictError):
    """Feature groups read through it."""

    code = "connector-in-use"
    title = "The storage connector is in use"


class ConnectorStaleError(ConflictError):
    """Somebody else changed it since it was read."""

    code = "revision-stale"
    kind = ErrorKind.STALE
    title = "Changed since it was read"


class ConnectorBuiltInError(ConflictError):
    """One of those that every project has."""

    code = "connector-built-in"
    title = "The storage connector is built in"


class BucketReservedError(InvalidInputError):
    """Where the gateway keeps what belongs to every project."""

    code = "bucket-reserved"
    title = "The bucket is the gateway's own"


class PlainPasswordError(InvalidInputError):
    """A password where a reference to one belongs."""

    code = "plain-password-refused"
    title = "Passwords are not taken"

    def __init__(self) -> None:
        super().__init__(
            "A connector holds no password.",
            hint="Put it into your secret store and give its reference as `secret`, for example "
            "aws-sm:oasthouse/football/warehouse#password. Change the password that was just sent.",
        )


class PlainKeyError(PlainPasswordError):
    """A key of a bucket where a reference to a secret belongs."""

    def __init__(self) -> None:
        InvalidInputError.__init__(
            self,
            "A connector holds no keys.",
            hint='Put {"access_key_id": "…", "secret_access_key": "…"} into your secret store and give its reference as '
            "`secret`, for example aws-sm:oasthouse/football/bucket; or give a role_arn. Revoke the keys that were just sent.",
        )
