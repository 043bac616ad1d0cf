from infra.errors import ConflictError, NotFoundError


class MemberNotFoundError(NotFoundError):
    """Nobody of that name in the project."""

    code = "member-not-found"
    title = "No such member"


class LastDataOwnerError(ConflictError):
    """A project without a data owner could never be shared, opened or cleaned up again."""

    code = "last-data-owner"
    title = "The project needs a data owner"
