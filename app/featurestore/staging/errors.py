from infra.errors import InvalidInputError, NotFoundError


class StagingNotFoundError(NotFoundError):
    """No such staging of this member for this feature group, or it is over."""

    code = "staging-not-found"
    title = "No such staging"


class StagedFileDiffersError(InvalidInputError):
    """A staged file is not there, or is not the one that the insert names."""

    code = "staged-file-differs"
    title = "A staged file is another one"
