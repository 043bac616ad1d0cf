from infra.errors import ConflictError, InvalidInputError, NotFoundError


class ShareNotFoundError(NotFoundError):
    """No such share, or none of this project."""

    code = "share-not-found"
    title = "No such share"


class ShareExistsError(ConflictError):
    """The same thing is offered to the same project already."""

    code = "share-exists"
    title = "The share exists"


class ShareAnsweredError(ConflictError):
    """Only a pending offer can be accepted or declined."""

    code = "share-answered"
    title = "The share was answered"


class ShareWithItselfError(InvalidInputError):
    """A project sees its own things without a share."""

    code = "share-with-itself"
    title = "A project cannot share with itself"
