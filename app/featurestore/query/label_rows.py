"""An uploaded frame as labels: checked whole, numbered in its order, its times brought to microseconds UTC."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from app.featurestore.feature_groups.conform import conformed
from app.featurestore.feature_groups.errors import SchemaMismatchError, TypeNotSupportedError
from app.featurestore.feature_groups.frames import Frame
from app.featurestore.feature_groups.types import TIMESTAMP, stored, to_arrow, to_hive
from app.featurestore.query.errors import LabelsInvalidError
from app.featurestore.query.expression import FeatureExpression
from app.featurestore.query.labels import VOID
from app.featurestore.query.plans import Labels
from app.featurestore.query.pruning import NO_TIMES, TimeBounds
from infra.ports.engine import WRITE_ORDER, Rows


def with_columns_of(frame: Frame, expression: FeatureExpression) -> FeatureExpression:
    """The expression with the frame's columns as its labels'; raises LabelsInvalidError for times without a zone."""
    if expression.labels is None:
        raise LabelsInvalidError("A frame came with the query, and nothing says that it is the labels.")
    if expression.labels.feature_group is not None:
        raise LabelsInvalidError("The labels are a frame or a feature group, not both.")
    time = expression.labels.event_time
    if time in frame.schema.names:
        _require_zone(frame.schema.field(time))
    columns = {field.name: _type_name(field.type) for field in frame.schema}
    return replace(expression, labels=replace(expression.labels, columns=columns))


class LabelRows:
    """The labels of one query, read once here: a frame that is broken or cut is refused before anything runs.

    `count` is the number of labels, `bounds` the first and last of their times.
    """

    def __init__(self, frame: Frame, labels: Labels) -> None:
        _require_distinguishable(list(labels.columns))
        self._frame = frame
        self._time = labels.event_time
        schema = frame.schema
        self._target = pa.schema([_field(schema.field(name), kind) for name, kind in labels.columns.items()])
        self.count = 0
        self.bounds = NO_TIMES
        try:
            for batch in frame.checked(self._batches()):
                self.count += batch.num_rows
                self._widen(batch)
        except SchemaMismatchError as error:
            names = ", ".join(repr(each["field"]) for each in error.errors)
            raise LabelsInvalidError(f"Values of the labels' {names} do not fit.", errors=error.errors) from error

    @property
    def rows(self) -> Rows:
        return Rows(self._target.append(pa.field(WRITE_ORDER, pa.int64())), self._reader)

    def _reader(self) -> pa.RecordBatchReader:
        return numbered(pa.RecordBatchReader.from_batches(self._target, self._batches()))

    def _batches(self) -> Iterator[pa.RecordBatch]:
        # A frame without one of its columns: conforming takes frames whole, and labels carry what no query reads.
        return conformed((self._read(batch) for batch in self._frame.batches()), self._target)

    def _read(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = [self._floored(name, batch.column(name)) for name in self._target.names]
        return pa.RecordBatch.from_arrays(columns, names=self._target.names)

    def _floored(self, name: str, column: pa.Array) -> pa.Array:
        """Times finer than a microsecond go down to it: a cast goes towards 1970, which is up for those before."""
        if name != self._time:
            return column
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
            # In UTC first: flooring asks what local time it is, and some local times are two.
            moments = pc.cast(column, pa.timestamp("ns", "UTC"))
            column = pc.cast(pc.floor_temporal(moments, unit="microsecond"), TIMESTAMP)
        return column

    def _widen(self, batch: pa.RecordBatch) -> None:
        if self._time is None or not batch.num_rows:
            return
        numbers = _numbers(batch.column(self._time))
        least, greatest = (pc.min_max(numbers)[end].as_py() for end in ("min", "max"))
        if least is not None:
            known = TimeBounds(least, greatest) if self.bounds.are_none else self.bounds
            self.bounds = TimeBounds(min(known.first, least), max(known.last, greatest))


def numbered(reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """The same rows with their position as write order."""
    schema = reader.schema.append(pa.field(WRITE_ORDER, pa.int64()))

    def batches() -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in reader:
            positions = pa.arange(start, start + batch.num_rows)
            yield pa.RecordBatch.from_arrays([*batch.columns, positions], schema=schema)
            start += batch.num_rows

    return pa.RecordBatchReader.from_batches(schema, batches())


def _numbers(times: pa.Array) -> pa.Array:
    if pa.types.is_date(times.type):
        times = pc.cast(times, TIMESTAMP)
    return pc.cast(times, pa.int64())


def _type_name(arrow_type: pa.DataType) -> str:
    """What features cannot have is named as Arrow does: labels may have such columns, as long as nothing needs them."""
    if pa.types.is_null(arrow_type):
        return VOID
    try:
        return to_hive(arrow_type)
    except TypeNotSupportedError:
        return str(arrow_type)


def _field(column: pa.Field, kind: str) -> pa.Field:
    """Of the frame's own type, unless planning has given it another one."""
    try:
        return pa.field(column.name, stored(column.type) if kind == _type_name(column.type) else to_arrow(kind))
    except TypeNotSupportedError as error:
        raise LabelsInvalidError(
            f"The labels' column {column.name[:80]!r} is a {kind[:80]}, which cannot be given back.",
            hint="Leave it out of given_back, or convert it first.",
        ) from error


def _require_distinguishable(names: Sequence[str]) -> None:
    """SQL does not tell names apart by case, and has none for what has no name."""
    seen = {"": "", WRITE_ORDER: WRITE_ORDER}
    for name in names:
        if name.lower() in seen:
            other = f" beside {seen[name.lower()][:80]!r}" if name else ""
            raise LabelsInvalidError(
                f"The labels have a column {name[:80]!r}{other}, which SQL cannot name.", hint="Rename it."
            )
        seen[name.lower()] = name


def _require_zone(field: pa.Field) -> None:
    time = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_timestamp(time) and time.tz is None:
        raise LabelsInvalidError(
            f"The labels' event time {field.name!r} has no time zone, so that it names no moment.",
            hint=f'Say which zone it is in. With pandas:  labels["{field.name}"] = '
            f'labels["{field.name}"].dt.tz_localize("UTC")',
        )
