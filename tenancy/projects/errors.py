from infra.errors import ConflictError


class ProjectExistsError(ConflictError):
    """The name is taken."""

    code = "project-exists"
    title = "The project exists"
