from infra.errors import ConflictError, NotFoundError


class TrainingDatasetNotFoundError(NotFoundError):
    """No such training dataset or version in a project that the caller sees."""

    code = "training-dataset-not-found"
    title = "No such training dataset"


class TrainingDatasetExistsError(ConflictError):
    """Name and version are taken."""

    code = "training-dataset-exists"
    title = "The training dataset exists"


class TrainingFileNotFoundError(NotFoundError):
    """The manifest names no such file."""

    code = "training-file-not-found"
    title = "No such file"
