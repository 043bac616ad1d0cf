"""Values of rules as JSON has them, and values of columns, in a form in which the two can be compared."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

Plain: TypeAlias = bool | int | float | str

MAX_SHOWN: Final = 80
# Holds every decimal that can be stored, and every bound with up to 38 digits on either side of the point.
_DIGITS: Final = 38
_WIDE: Final = pa.decimal256(2 * _DIGITS, _DIGITS)


def comparable(column: pa.Array) -> pa.Array:
    """The column in the type of `scalar`s that it is compared with."""
    wanted = _compared_as(column.type)
    return column if wanted == column.type else pc.cast(column, wanted)


def scalar(value: Plain, column: pa.DataType) -> pa.Scalar:
    """`value` in the type in which a column of type `column` is compared; ValueError says why it cannot be."""
    read, meant = _reader(column)
    try:
        return pa.scalar(read(value), _compared_as(column))
    except (ValueError, TypeError, OverflowError, InvalidOperation, pa.ArrowException) as error:
        raise ValueError(f"{str(value)[:MAX_SHOWN]!r} is not {meant}") from error


def is_ordered(column: pa.DataType) -> bool:
    """Whether a column has a least and a greatest value that mean something."""
    return any(check(column) for check in _ORDERED)


def is_plain(column: pa.DataType) -> bool:
    """Whether there is a way to write a value of the column in JSON."""
    return any(check(column) for check, _, _ in _READERS)


def shown(value: pa.Scalar) -> str | None:
    """A value for people, cut at 80 characters; None is null."""
    try:
        found = value.as_py()
    except (ValueError, OverflowError):
        return "a time beyond the calendar"
    if found is None:
        return None
    if isinstance(found, bytes):
        found = found[:MAX_SHOWN]
    text = found.isoformat() if isinstance(found, date) else str(found)
    return cut(text)


def cut(text: str, most: int = MAX_SHOWN) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _compared_as(column: pa.DataType) -> pa.DataType:
    if pa.types.is_integer(column):
        return pa.int64()
    return _WIDE if pa.types.is_decimal(column) else column


def _whole(value: Plain) -> int:
    if isinstance(value, bool | str) or value != int(value):
        raise ValueError("not whole")
    return int(value)


def _number(value: Plain) -> float:
    if isinstance(value, bool | str):
        raise TypeError("not a number")
    return float(value)


def _decimal(value: Plain) -> Decimal:
    if isinstance(value, bool):
        raise TypeError("not a number")
    found = Decimal(str(value))
    if not found.is_finite():
        raise ValueError("not a number")
    return _plain(found)


def _plain(number: Decimal) -> Decimal:
    """The same without noughts at its end. Arrow takes long texts of digits for other numbers, and dies of some exponents."""
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int), "what is finite has one"
    kept = "".join(map(str, digits)).rstrip("0")
    if not kept:
        return Decimal(0)
    exponent += len(digits) - len(kept)
    if exponent < -_DIGITS or exponent + len(kept) > _DIGITS:
        raise ValueError("too many digits")
    return Decimal((sign, tuple(map(int, kept)), exponent))


def _text(value: Plain) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _truth(value: Plain) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not a truth value")
    return value


def _date(value: Plain) -> date:
    return date.fromisoformat(_text(value))


def _time(value: Plain) -> datetime:
    found = datetime.fromisoformat(_text(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _reader(column: pa.DataType) -> tuple[Callable[[Plain], Any], str]:
    for check, read, meant in _READERS:
        if check(column):
            return read, meant
    raise ValueError(f"a {column} has no values that a rule could name")


_ORDERED: Final[tuple[Callable[[pa.DataType], bool], ...]] = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_date,
    pa.types.is_timestamp,
)
_READERS: Final[tuple[tuple[Callable[[pa.DataType], bool], Callable[[Plain], Any], str], ...]] = (
    (pa.types.is_integer, _whole, "a whole number of 64 bits"),
    (pa.types.is_floating, _number, "a number"),
    (pa.types.is_decimal, _decimal, "a number or a text of one, with up to 38 digits on either side of the point"),
    (pa.types.is_date, _date, "a date such as '2026-03-01'"),
    (pa.types.is_timestamp, _time, "a time such as '2026-03-01T12:00:00Z'"),
    (pa.types.is_boolean, _truth, "true or false"),
    (pa.types.is_string, _text, "a text"),
)
