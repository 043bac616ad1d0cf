"""Types of columns that are written as text: found in all of their values, and read back without a guess."""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from infra.ports.imports import NotReadable

_TIME: Final = pa.timestamp("us", tz="UTC")
_DAY: Final = r"\d{4}-\d\d-\d\d"
_ZONE: Final = r"([Zz]|[+-]\d\d(:?\d\d)?)"
_INTEGER: Final = r"^-?\d+$"
_REAL: Final = r"^[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:nan|inf|infinity))$"
_HAS_ZONE: Final = rf":\d\d(\.\d+)?{_ZONE}$"


class Kind(StrEnum):
    """What texts may stand for. `LONG` are whole numbers that a double would not hold exactly."""

    NOTHING = "nothing"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    LONG = "long"
    REAL = "real"
    DATE = "date"
    TIME = "time"
    TEXT = "text"


TYPES: Final[dict[Kind, pa.DataType]] = {
    Kind.NOTHING: pa.null(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.INTEGER: pa.int64(),
    Kind.LONG: pa.int64(),
    Kind.REAL: pa.float64(),
    Kind.DATE: pa.date32(),
    Kind.TIME: _TIME,
    Kind.TEXT: pa.string(),
}
# In this order: what matches an earlier line is that. 007 is no number: it is a code that would lose its zeros; and a whole
# number that no 64 bits hold is none either, since a double would change it.
_PATTERNS: Final[tuple[tuple[Kind, str], ...]] = (
    (Kind.INTEGER, r"^-?(0|[1-9]\d{0,14})$"),
    (Kind.LONG, r"^-?(0|[1-9]\d{0,18})$"),
    (Kind.REAL, r"^[+-]?((0|[1-9]\d{0,14})(\.\d*)?([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|(?i:nan|inf|infinity))$"),
    (Kind.BOOLEAN, r"^(?i:true|false)$"),
    (Kind.DATE, rf"^{_DAY}$"),
    (Kind.TIME, rf"^{_DAY}([T ]\d\d:\d\d(:\d\d(\.\d{{1,9}})?{_ZONE}?)?)?$"),
)
_WIDER: Final = {
    frozenset({Kind.INTEGER, Kind.LONG}): Kind.LONG,
    frozenset({Kind.INTEGER, Kind.REAL}): Kind.REAL,
    frozenset({Kind.DATE, Kind.TIME}): Kind.TIME,
}


def kind_of(values: pa.Array) -> Kind:
    """The narrowest that all of these texts are; null and the empty text say nothing."""
    told = pc.drop_null(values)
    told = told.filter(pc.not_equal(told, ""))
    if len(told) == 0:
        return Kind.NOTHING
    for kind, pattern in _PATTERNS:
        if pc.all(pc.match_substring_regex(told, pattern)).as_py():
            return kind if _is_castable(told, TYPES[kind]) else Kind.TEXT
    return Kind.TEXT


def wider(left: Kind, right: Kind) -> Kind:
    if left is right or right is Kind.NOTHING:
        return left
    return right if left is Kind.NOTHING else _WIDER.get(frozenset({left, right}), Kind.TEXT)


def has_text_form(kind: pa.DataType) -> bool:
    """Whether `converted` can make it of text."""
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    timely = pa.types.is_date32(kind) or pa.types.is_timestamp(kind)
    return bool(numeric or timely or pa.types.is_boolean(kind) or pa.types.is_string(kind))


def converted(values: pa.Array, kind: pa.DataType, column: str, row: int) -> pa.Array:
    """Texts as `kind`; the empty text is null but in a text. Raises NotReadable naming the row, `row` being the first's."""
    if pa.types.is_string(kind):
        return values
    told = pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)

    def convert(part: pa.Array) -> pa.Array:
        return _cast(part, kind)

    try:
        return convert(told)
    except pa.ArrowInvalid as error:
        at = row + first_failing(told, convert)
        raise NotReadable(
            f"holds in column {column[:80]!r}, row {at:,}, a value that is no {kind}.",
            hint="Rows are counted from 1 after the header. Mend the file, or say another type in `features`.",
            column=column,
        ) from error


def first_failing(values: pa.Array, convert: Callable[[pa.Array], object]) -> int:
    """Index of the first value that `convert` refuses, which must refuse the whole."""
    low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            convert(values.slice(low, middle - low))
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low


def _is_castable(values: pa.Array, kind: pa.DataType) -> bool:
    try:
        _cast(values, kind)
    except pa.ArrowInvalid:
        return False
    return True


def _cast(values: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        return _times(values, kind)
    if pa.types.is_null(kind):
        return pa.nulls(len(values)) if values.null_count == len(values) else _refuse()
    # Arrow would take 0x10 for a number, too.
    pattern = _INTEGER if pa.types.is_integer(kind) else _REAL if pa.types.is_floating(kind) else None
    if pattern and not pc.all(pc.match_substring_regex(values, pattern)).as_py() and values.null_count < len(values):
        return _refuse()
    return pc.cast(values, kind)


def _times(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Without a zone they are UTC, and finer than a microsecond they are cut, as everywhere (docs/types.md)."""
    cut = pc.replace_substring_regex(values, r"(\.\d{6})\d+", r"\1")
    zoned = pc.match_substring_regex(cut, _HAS_ZONE)
    nothing = pa.scalar(None, pa.string())
    with_zone = pc.cast(pc.if_else(zoned, cut, nothing), _TIME)
    without = pc.cast(pc.if_else(zoned, nothing, cut), pa.timestamp("us"))
    return pc.cast(pc.coalesce(with_zone, pc.cast(without, _TIME)), kind)


def _refuse() -> pa.Array:
    raise pa.ArrowInvalid("does not fit")
