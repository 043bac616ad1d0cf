"""Types of times and keys, with a few values each. A time is a whole number in the unit of its type: no library is needed
to tell which of two is earlier."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import pyarrow as pa

MOMENT: Final = pa.timestamp("us", "UTC")
DAY: Final = 86_400_000_000
YEAR_1, YEAR_9999 = -62_135_596_800_000_000, 253_402_300_799_999_999
MOMENTS: Final = (YEAR_1, YEAR_1 + 1, -20_000 * DAY, -DAY, -1_000_001, -1_000, -1, 0, 1, 999, 1_000_000, DAY, YEAR_9999)
NUMBERS: Final = (-(2**63), -(2**63) + 1, -(2**31), -129, -128, -1, 0, 1, 127, 255, 2**32 - 1, 2**63 - 1)


@dataclass(frozen=True)
class TimeType:
    """`unit` is how many microseconds one is; of a number, one."""

    arrow: pa.DataType
    unit: Fraction = Fraction(1)

    def floored(self, moment: int) -> int:
        """The last time of this type that is not after `moment`."""
        return int(moment // self.unit)

    def start(self, moment: int) -> int:
        """The moment of that time."""
        return int(self.floored(moment) * self.unit)

    def moment(self, time: int | None) -> int | None:
        return None if time is None else int(time * self.unit // 1)

    def near(self, moments: Sequence[int]) -> list[int]:
        """Times at and just after the moments, as far as the type has them."""
        if pa.types.is_null(self.arrow):
            return []
        found = [self.floored(moment) + step for moment in moments for step in (0, 1)]
        if pa.types.is_date(self.arrow):
            return [day for day in found if day <= self.floored(YEAR_9999)]
        width = self.arrow.bit_width
        least = 0 if pa.types.is_unsigned_integer(self.arrow) else -(2 ** (width - 1))
        return [time for time in found if least <= time < least + 2**width]


DATE: Final = TimeType(pa.date32(), Fraction(DAY))
NO_TIMES: Final = TimeType(pa.null())
_ZONES = ("UTC", "America/New_York", "Asia/Kathmandu")
_UNITS = {"s": Fraction(1_000_000), "ms": Fraction(1_000), "us": Fraction(1), "ns": Fraction(1, 1_000)}
LABEL_MOMENTS = (*(TimeType(pa.timestamp(unit, zone), _UNITS[unit]) for zone in _ZONES for unit in _UNITS), DATE)
LABEL_NUMBERS = tuple(
    TimeType(each) for each in (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint32())
)
GROUP_TIMES = {"timestamp": TimeType(MOMENT), "date": DATE, "bigint": TimeType(pa.int64())}


@dataclass(frozen=True)
class KeyType:
    """A key by its types in labels and by those in groups, which differ where whole numbers do."""

    arrow: tuple[pa.DataType, ...]
    hive: tuple[str, ...]
    values: tuple[Any, ...]

    @property
    def common(self) -> tuple[Any, ...]:
        """To draw from: nulls are rare."""
        return (*self.values[:2], *self.values[:2], *self.values, None)


NUMBER_KEY = KeyType(
    (pa.int8(), pa.int32(), pa.int64(), pa.uint8(), pa.uint64(), pa.null()),
    ("tinyint", "smallint", "int", "bigint"),
    (0, 1, 127),
)
TEXT_KEY = KeyType(
    (pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string()), pa.null()), ("string",), ("", "a", "A")
)
DATE_KEY = KeyType(
    (pa.date32(), pa.date64()), ("date",), (dt.date(1, 1, 1), dt.date(1969, 12, 31), dt.date(9999, 12, 31))
)
FLAG_KEY = KeyType((pa.bool_(),), ("boolean",), (False, True))
KEY_TYPES = (NUMBER_KEY, TEXT_KEY, DATE_KEY, FLAG_KEY)


def as_array(values: Sequence[Any], arrow: pa.DataType) -> pa.Array:
    """Times may be whole numbers in the unit of the type."""
    if pa.types.is_timestamp(arrow):
        return pa.array(values, pa.int64()).cast(arrow)
    if pa.types.is_date32(arrow) and all(value is None or isinstance(value, int) for value in values):
        return pa.array(values, pa.int32()).cast(arrow)
    return pa.array(values, arrow)
