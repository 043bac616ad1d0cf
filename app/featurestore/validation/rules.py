"""The rules. A new one is a new class here and an entry in `RULES`.

Null passes every rule but `not_null`, as it does a CHECK in SQL: whether a value may be missing is a question of its own.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, ClassVar, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, Field, StrictBool, StrictInt, StrictStr
from pydantic.dataclasses import dataclass

from app.featurestore.validation.checks import Check, Count, EachRow, Newest, Situation, Twice
from app.featurestore.validation.patterns import MAX_PATTERN, matches, require_compiles
from app.featurestore.validation.values import comparable, cut, is_ordered, is_plain, scalar

MAX_COLUMNS: Final = 100
MAX_VALUES: Final = 1_000
_YEAR: Final = 366 * 86_400
_INFINITE: Final = (math.inf, -math.inf)
_CONFIG = ConfigDict(extra="forbid")

Name = Annotated[StrictStr, Field(min_length=1, max_length=80)]
Column = Annotated[StrictStr, Field(max_length=63)]
Columns = Annotated[tuple[Column, ...], Field(min_length=1, max_length=MAX_COLUMNS)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Text = Annotated[StrictStr, Field(max_length=1_000)]
Bound = StrictInt | Number | Text
Value = StrictBool | StrictInt | Number | Text
Rows = Annotated[StrictInt, Field(ge=0, le=2**53)]


class Rule(Protocol):
    """One rule. `columns` are those that it reads; `passes` how often it reads the rows once more, by itself."""

    kind: ClassVar[str]
    passes: ClassVar[int]

    @property
    def name(self) -> str | None: ...

    @property
    def columns(self) -> tuple[str, ...]: ...

    def describe(self) -> str:
        """What it asks, as a sentence without values of rows."""

    def require_fit(self, schema: pa.Schema) -> None:
        """Raises ValueError where the columns' types and the rule do not go together; the columns are there."""

    def begin(self, situation: Situation) -> Check: ...


@dataclass(frozen=True, config=_CONFIG)
class NotNull:
    """Counts rows: one with two nulls fails once."""

    columns: Columns
    name: Name | None = None
    kind: ClassVar[str] = "not_null"
    passes: ClassVar[int] = 0

    def describe(self) -> str:
        return f"{_listed(self.columns)} {'are' if len(self.columns) > 1 else 'is'} never null"

    def require_fit(self, schema: pa.Schema) -> None:
        """Any type will do."""

    def begin(self, situation: Situation) -> Check:  # noqa: ARG002 the port's signature
        def failing(batch: pa.RecordBatch) -> pa.BooleanArray:
            found = pc.is_null(batch.column(self.columns[0]))
            for column in self.columns[1:]:
                found = pc.or_(found, pc.is_null(batch.column(column)))
            return found

        def first_null(batch: pa.RecordBatch, index: int) -> str:
            return next(column for column in self.columns if not batch.column(column)[index].is_valid)

        return EachRow(failing, first_null)


@dataclass(frozen=True, config=_CONFIG)
class _OneColumn:
    column: Column
    passes: ClassVar[int] = 0

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def _each(self, failing: Callable[[pa.Array], pa.BooleanArray]) -> Check:
        return EachRow(lambda batch: failing(batch.column(self.column)), lambda _batch, _index: self.column)


@dataclass(frozen=True, config=_CONFIG)
class Range(_OneColumn):
    """NaN is outside of every range."""

    min: Bound | None = None
    max: Bound | None = None
    exclusive_min: StrictBool = False
    exclusive_max: StrictBool = False
    name: Name | None = None
    kind: ClassVar[str] = "range"

    def describe(self) -> str:
        least = "" if self.min is None else f"{'more than' if self.exclusive_min else 'at least'} {self.min}"
        most = "" if self.max is None else f"{'less than' if self.exclusive_max else 'at most'} {self.max}"
        return f"{self.column} is {' and '.join(filter(None, (least, most)))}"

    def require_fit(self, schema: pa.Schema) -> None:
        column = schema.field(self.column).type
        if not is_ordered(column):
            raise ValueError(f"{self.column!r} is a {column}; a range is for numbers, dates and times")
        if self.min is None and self.max is None:
            raise ValueError("a range needs min, max or both")
        least, most = (None if bound is None else scalar(bound, column) for bound in (self.min, self.max))
        if least is not None and most is not None and pc.greater(least, most).as_py():
            raise ValueError("min is above max: no value could pass")
        if least is not None and least == most and (self.exclusive_min or self.exclusive_max):
            raise ValueError("min is max, and one of them is excluded: no value could pass")
        for side, bound, excluded in (("min", least, self.exclusive_min), ("max", most, self.exclusive_max)):
            if excluded and bound is None:
                raise ValueError(f"exclusive_{side} goes with {side}")

    def begin(self, situation: Situation) -> Check:
        column = situation.schema.field(self.column).type
        least = None if self.min is None else scalar(self.min, column)
        most = None if self.max is None else scalar(self.max, column)
        above = pc.greater if self.exclusive_min else pc.greater_equal
        below = pc.less if self.exclusive_max else pc.less_equal

        def failing(values: pa.Array) -> pa.BooleanArray:
            compared = comparable(values)
            # NaN compares false with everything, so a range must be what it is inside of, not what it is not outside of.
            inside = pc.true_unless_null(compared) if least is None else above(compared, least)
            return pc.invert(inside if most is None else pc.and_(inside, below(compared, most)))

        return self._each(failing)


@dataclass(frozen=True, config=_CONFIG)
class InSet(_OneColumn):
    values: Annotated[tuple[Value, ...], Field(min_length=1, max_length=MAX_VALUES)]
    name: Name | None = None
    kind: ClassVar[str] = "in_set"

    def describe(self) -> str:
        return f"{self.column} is one of {cut(', '.join(map(str, self.values)))}"

    def require_fit(self, schema: pa.Schema) -> None:
        column = schema.field(self.column).type
        if not is_plain(column):
            raise ValueError(f"{self.column!r} is a {column}, whose values a rule cannot name")
        self._value_set(column)

    def begin(self, situation: Situation) -> Check:
        allowed = self._value_set(situation.schema.field(self.column).type)

        def failing(values: pa.Array) -> pa.BooleanArray:
            return pc.and_(pc.invert(pc.is_in(comparable(values), value_set=allowed)), pc.is_valid(values))

        return self._each(failing)

    def _value_set(self, column: pa.DataType) -> pa.Array:
        values = [scalar(value, column) for value in self.values]
        beyond = [given for given, value in zip(self.values, values, strict=True) if value.as_py() in _INFINITE]
        if beyond:
            raise ValueError(f"{beyond[0]} is more than a {column} holds")
        if pa.types.is_floating(column) and any(value.as_py() == 0.0 for value in values):
            # The two zeros are equal, and looked up by their bits.
            values += [pa.scalar(zero, column) for zero in (0.0, -0.0)]
        return pa.array([value.as_py() for value in values], values[0].type)


@dataclass(frozen=True, config=_CONFIG)
class Unique:
    """Of the rows that are looked at: those of one insert, or all of a table. Every row that shares its values counts."""

    columns: Columns
    name: Name | None = None
    kind: ClassVar[str] = "unique"
    passes: ClassVar[int] = 1

    def describe(self) -> str:
        return f"{_listed(self.columns)} {'are unique together' if len(self.columns) > 1 else 'is unique'}"

    def require_fit(self, schema: pa.Schema) -> None:
        for column in self.columns:
            if pa.types.is_nested(schema.field(column).type):
                raise ValueError(f"{column!r} is a {schema.field(column).type}, which is not compared")

    def begin(self, situation: Situation) -> Check:
        return Twice(self.columns, situation.find_duplicates)


@dataclass(frozen=True, config=_CONFIG)
class Regex(_OneColumn):
    """Found anywhere in the text; `^` and `$` make it the whole."""

    pattern: Annotated[StrictStr, Field(min_length=1, max_length=MAX_PATTERN)]
    name: Name | None = None
    kind: ClassVar[str] = "regex"

    def describe(self) -> str:
        return f"{self.column} matches {cut(self.pattern)}"

    def require_fit(self, schema: pa.Schema) -> None:
        if not pa.types.is_string(schema.field(self.column).type):
            raise ValueError(f"{self.column!r} is a {schema.field(self.column).type}; a pattern is for texts")
        require_compiles(self.pattern)

    def begin(self, situation: Situation) -> Check:
        return self._each(lambda texts: pc.invert(matches(texts, self.pattern, situation.require_time)))


@dataclass(frozen=True, config=_CONFIG)
class Freshness(_OneColumn):
    """About the newest value only. A date counts from its midnight in UTC."""

    max_age_seconds: Annotated[StrictInt | Number, Field(gt=0, le=100 * _YEAR)]
    name: Name | None = None
    kind: ClassVar[str] = "freshness"

    def describe(self) -> str:
        return f"the newest {self.column} is at most {self.max_age_seconds:,} seconds old"

    def require_fit(self, schema: pa.Schema) -> None:
        column = schema.field(self.column).type
        if not (pa.types.is_timestamp(column) or pa.types.is_date32(column)):
            raise ValueError(f"{self.column!r} is a {column}; freshness is for times and dates")

    def begin(self, situation: Situation) -> Check:
        return Newest(self.column, situation.now, self.max_age_seconds)


@dataclass(frozen=True, config=_CONFIG)
class RowCount:
    min: Rows = 0
    max: Rows | None = None
    name: Name | None = None
    kind: ClassVar[str] = "row_count"
    passes: ClassVar[int] = 0

    @property
    def columns(self) -> tuple[str, ...]:
        return ()

    def describe(self) -> str:
        return f"there are at least {self.min:,}{'' if self.max is None else f' and at most {self.max:,}'} rows"

    def require_fit(self, schema: pa.Schema) -> None:  # noqa: ARG002 the port's signature
        if self.max is not None and self.max < self.min:
            raise ValueError("min is above max: no number of rows could pass")

    def begin(self, situation: Situation) -> Check:  # noqa: ARG002 the port's signature
        return Count(self.min, self.max)


RULES: Final[Mapping[str, type[Rule]]] = {
    rule.kind: rule for rule in (NotNull, Range, InSet, Unique, Regex, Freshness, RowCount)
}


def _listed(columns: Sequence[str]) -> str:
    return cut(", ".join(columns))
