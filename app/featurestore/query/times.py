"""Event times and spans of them, as numbers and as people read them. Pure."""

from datetime import UTC, date, datetime, timedelta

from infra.ports.tables import Bound

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS_PER_DAY = 86_400_000_000
_UNITS = (
    ("day", _MICROSECONDS_PER_DAY),
    ("hour", 3_600_000_000),
    ("minute", 60_000_000),
    ("second", 1_000_000),
    ("millisecond", 1_000),
    ("microsecond", 1),
)
_MOMENTS = frozenset({"timestamp", "date"})


def is_moment(hive_type: str) -> bool:
    """Whether values of the type are points in time rather than numbers."""
    return hive_type in _MOMENTS


def as_number(bound: Bound) -> int:
    """A time as the number that labels and rows are compared by: microseconds since 1970, or the number that it is."""
    if isinstance(bound, datetime):
        since = bound - _EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    if isinstance(bound, date):
        return (bound - _EPOCH.date()).days * _MICROSECONDS_PER_DAY
    return bound


def time_text(number: int, hive_type: str) -> str:
    """What `as_number` made of a time of that type, readable again."""
    if not is_moment(hive_type):
        return str(number)
    try:
        moment = _EPOCH + timedelta(microseconds=number)
    except OverflowError:
        return f"{number} microseconds since 1970"
    return moment.date().isoformat() if hive_type == "date" else moment.isoformat().replace("+00:00", "Z")


def span_text(number: int, hive_type: str) -> str:
    """A difference of two times: `7 days`, `1 hour 30 minutes`; of numbers, so many units."""
    if not is_moment(hive_type):
        return f"{number:,} units"
    parts = []
    for unit, size in _UNITS:
        count, number = divmod(number, size)
        if count:
            parts.append(f"{count:,} {unit}{'' if count == 1 else 's'}")
    return " ".join(parts) or "0 seconds"
