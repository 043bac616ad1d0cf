"""Makes a frame fit a schema: by name, never by position; what does not fit is listed, never bent."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from app.featurestore.feature_groups.errors import SchemaMismatchError, TypeNotSupportedError
from app.featurestore.feature_groups.expansion import portions
from app.featurestore.feature_groups.frames import Frame
from app.featurestore.feature_groups.types import to_hive

Offence = dict[str, object]
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896


@dataclass(frozen=True)
class ConformedFrame:
    """A frame whose every row was read once and fits. `reader()` gives the rows from the start, as often as asked."""

    schema: pa.Schema
    rows: int
    _frame: Frame

    def reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self.schema, conformed(self._frame.batches(), self.schema))


def conform(frame: Frame, target: pa.Schema) -> ConformedFrame:
    """Check names, types, values and the row count of the whole frame; raises SchemaMismatchError listing every column."""
    offences = find_offences(frame.schema, target)
    if offences:
        raise _mismatch(offences)
    rows = sum(batch.num_rows for batch in frame.checked(conformed(frame.batches(), target)))
    return ConformedFrame(target, rows, frame)


def find_offences(received: pa.Schema, target: pa.Schema) -> list[Offence]:
    """Columns that are missing, unexpected or of a type that does not fit, in the order of the group, then the frame."""
    offences = [
        _offence(field.name, "is missing from the frame", _name(field.type), None)
        for field in target
        if field.name not in received.names
    ]
    for field in received:
        if field.name not in target.names:
            offences.append(_offence(field.name, "is no feature of the group", None, _name(field.type)))
        elif not accepts(target.field(field.name).type, field.type):
            expected = _name(target.field(field.name).type)
            offences.append(_offence(field.name, "has another type", expected, _name(field.type)))
    return offences


def accepts(target: pa.DataType, source: pa.DataType) -> bool:
    """Whether a column of `source` may go into `target`; docs/types.md is the table for people.

    A dictionary is taken as a whole column only: inside a map, a null among its values would be a null key, which Arrow
    answers by aborting the process.
    """
    return _fits_inside(target, source.value_type if pa.types.is_dictionary(source) else source)


def _fits_inside(target: pa.DataType, source: pa.DataType) -> bool:
    if source == target or pa.types.is_null(source):
        return True
    return any(is_target(target) and fits(target, source) for is_target, fits in _RULES)


def conformed(batches: Iterator[pa.RecordBatch], target: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Batches with exactly the columns, order and types of `target`."""
    dates = [field for field in target if pa.types.is_date32(field.type)]
    for batch in batches:
        if batch.schema.equals(target):
            for field in dates:
                _cast(batch.column(field.name), field)
            yield batch
            continue
        for portion in portions(batch, target):
            columns = [_cast(portion.column(field.name), field) for field in target]
            yield pa.RecordBatch.from_arrays(columns, schema=target)


def _cast(column: pa.Array, field: pa.Field) -> pa.Array:
    try:
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if pa.types.is_date(column.type):
            _require_calendar_dates(column)
        # Times finer than a microsecond are cut, as documented; everything else must fit exactly.
        return pc.cast(column, options=pc.CastOptions(field.type, allow_time_truncate=True))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError) as error:
        message = f"holds a value that does not fit: {str(error)[:200]}"
        raise _mismatch([_offence(field.name, message, _name(field.type), _name(column.type))]) from error


def _require_calendar_dates(column: pa.Array) -> None:
    """Days of the years 1 to 9999; what lies beyond, other engines cannot read."""
    days = pc.cast(pc.cast(column, pa.date32()), pa.int32())
    outside = pc.any(pc.or_(pc.less(days, _FIRST_DAY), pc.greater(days, _LAST_DAY)))
    if outside.as_py():
        raise pa.ArrowInvalid("a date is outside the years 1 to 9999")


def _name(arrow_type: pa.DataType) -> str:
    try:
        return to_hive(arrow_type)
    except TypeNotSupportedError:
        return str(arrow_type)


def _offence(name: str, message: str, expected: str | None, received: str | None) -> Offence:
    return {"field": name, "message": message, "expected": expected, "received": received}


def _mismatch(offences: Sequence[Offence]) -> SchemaMismatchError:
    names = ", ".join(str(offence["field"]) for offence in offences[:5])
    more = f" and {len(offences) - 5} more" if len(offences) > 5 else ""
    return SchemaMismatchError(
        f"The frame does not fit: {names}{more}. Nothing was stored.",
        errors=offences,
        hint="Columns are matched by name. Cast or rename them, or create a new version of the feature group.",
    )


def _any_of(*checks: Callable[[pa.DataType], bool]) -> Callable[[pa.DataType], bool]:
    return lambda arrow_type: any(check(arrow_type) for check in checks)


_is_text = _any_of(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_is_bytes = _any_of(
    pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view
)
_is_list = _any_of(pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)


def _decimal_fits(target: pa.DataType, source: pa.DataType) -> bool:
    whole_digits = source.precision - source.scale
    return bool(source.scale <= target.scale and whole_digits <= target.precision - target.scale)


def _struct_fits(target: pa.DataType, source: pa.DataType) -> bool:
    return (
        pa.types.is_struct(source)
        and [field.name for field in source] == [field.name for field in target]
        and all(_fits_inside(mine.type, theirs.type) for mine, theirs in zip(target, source, strict=True))
    )


def _map_fits(target: pa.DataType, source: pa.DataType) -> bool:
    return (
        pa.types.is_map(source)
        and not pa.types.is_null(source.key_type)
        and _fits_inside(target.key_type, source.key_type)
        and _fits_inside(target.item_type, source.item_type)
    )


_RULES: list[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType, pa.DataType], bool]]] = [
    (pa.types.is_integer, lambda _, source: pa.types.is_integer(source)),
    (pa.types.is_float32, lambda _, source: pa.types.is_float16(source)),
    (pa.types.is_float64, lambda _, source: pa.types.is_floating(source) or pa.types.is_integer(source)),
    (pa.types.is_string, lambda _, source: _is_text(source)),
    (pa.types.is_binary, lambda _, source: _is_bytes(source)),
    (pa.types.is_date32, lambda _, source: pa.types.is_date(source)),
    (pa.types.is_timestamp, lambda _, source: pa.types.is_timestamp(source)),
    (pa.types.is_decimal, lambda target, source: pa.types.is_decimal(source) and _decimal_fits(target, source)),
    (pa.types.is_list, lambda target, source: _is_list(source) and _fits_inside(target.value_type, source.value_type)),
    (pa.types.is_struct, _struct_fits),
    (pa.types.is_map, _map_fits),
]
