"""Which files of a table no label can reach. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.featurestore.query.times import as_number
from infra.ports.tables import DataFile


@dataclass(frozen=True)
class TimeBounds:
    """The first and the last time of the labels: microseconds since 1970, or numbers where times are BIGINT."""

    first: int
    last: int

    @property
    def are_none(self) -> bool:
        """No label has a time."""
        return self.last < self.first


NO_TIMES = TimeBounds(0, -1)


def reachable(
    files: Sequence[DataFile], event_time: str, bounds: TimeBounds, lookback: int | None
) -> tuple[DataFile, ...]:
    """Files that may hold a row at or before some label, and within its lookback."""
    if bounds.are_none:
        return ()
    earliest = None if lookback is None else bounds.first - lookback
    return tuple(file for file in files if _is_reachable(file, event_time, bounds.last, earliest))


def _is_reachable(file: DataFile, event_time: str, last: int, earliest: int | None) -> bool:
    if event_time not in file.bounds:
        return True
    least, greatest = (as_number(bound) for bound in file.bounds[event_time])
    return least <= last and (earliest is None or greatest >= earliest)
