from infra.errors import ConflictError, InvalidInputError, NotFoundError


class TrainingDatasetNotFoundError(NotFoundError):
    """No such training dataset or version in a project that the caller sees."""

    code = "training-dataset-not-found"
    title = "No such training dataset"


class TrainingDatasetExistsError(ConflictError):
    """Name and version are taken."""

    code = "training-dataset-exists"
    title = "The training dataset exists"


class TrainingDatasetChangedError(ConflictError):
    """Other rows were written since it was looked at."""

    code = "training-dataset-changed"
    title = "The training dataset changed meanwhile"


class NotReproducibleError(InvalidInputError):
    """What the training dataset was made from is not there any more, or never was kept."""

    code = "training-dataset-not-reproducible"
    title = "The training dataset cannot be made again"


class TrainingFileNotFoundError(NotFoundError):
    """The manifest names no such file."""

    code = "training-file-not-found"
    title = "No such file"


class SinkOccupiedError(ConflictError):
    """Somebody's files are where a dataset was to be written."""

    code = "sink-occupied"
    title = "There are files already"
