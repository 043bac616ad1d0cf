from infra.errors import NotFoundError


class PartNotFoundError(NotFoundError):
    """No such part of this version of the table, or one whose file is gone."""

    code = "part-not-found"
    title = "No such part"
