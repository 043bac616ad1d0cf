from infra.errors import ConflictError


class WarehouseOverlapsError(ConflictError):
    """Something of ours lies there, or around it: clearing up one would reach the other."""

    code = "warehouse-overlaps"
    title = "The place is taken"
