from infra.errors import NotFoundError


class StatisticsNotFoundError(NotFoundError):
    """None were computed yet, or none of this state are kept."""

    code = "statistics-not-found"
    title = "No such statistics"
