"""Whatever people call a data frame → Arrow record batches."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, List, Optional

from hops.featurestore.errors import FrameConversionError
from hops.featurestore.extras import require

if TYPE_CHECKING:
    import pyarrow as pa

_ACCEPTED = "pandas, polars, pyarrow and Spark frames, dicts of columns, lists of row dicts, and anything with __arrow_c_stream__"
_FRAME_METHODS = ("__arrow_c_stream__", "to_pydict", "read_next_batch", "to_arrow", "toArrow", "toPandas")


def to_record_batches(frame: Any) -> pa.RecordBatchReader:
    """A reader that can be used once. Raises FrameConversionError, which names the column if there is one to blame.

    Of a pandas frame, index levels with a name become columns and others are dropped; NaN becomes null.
    """
    reader = _reader(frame)
    names = reader.schema.names
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise FrameConversionError(f"The frame has more than one column named {', '.join(map(repr, repeated))}.")
    return reader


def to_table(frame: Any) -> Optional[pa.Table]:
    """The rows as a table that `to_record_batches` makes the same of; None of what may be readable only once.

    Raises FrameConversionError.
    """
    table = _own_table(frame)
    return None if table is None else to_record_batches(table).read_all()


def is_frame(value: Any) -> bool:
    """Whether `to_record_batches` knows what to do with it; says nothing about its contents."""
    if isinstance(value, Mapping) or _is_list_of_rows(value) or is_pandas(value):
        return True
    return any(hasattr(value, name) for name in _FRAME_METHODS)


def is_column(value: Any) -> bool:
    """One column alone, which some libraries hand over as they do frames."""
    return hasattr(value, "to_frame") and not hasattr(value, "columns")


def _reader(frame: Any) -> pa.RecordBatchReader:
    pa = require("pyarrow")
    if isinstance(frame, pa.RecordBatchReader):
        return frame
    table = _own_table(frame)
    return _foreign_reader(frame) if table is None else _table_reader(table)


def _own_table(frame: Any) -> Optional[pa.Table]:
    pa = require("pyarrow")
    if isinstance(frame, pa.Table):
        return frame
    if isinstance(frame, pa.RecordBatch):
        return pa.Table.from_batches([frame])
    if is_pandas(frame):
        return _pandas_table(frame)
    if _is_polars(frame):
        return frame.to_arrow()  # its stream has categories as views, which few can unfold
    if isinstance(frame, Mapping):
        return _table_of(list(frame.items()))
    return _table_of_rows(frame) if _is_list_of_rows(frame) else None


def _foreign_reader(frame: Any) -> pa.RecordBatchReader:
    pa = require("pyarrow")
    if is_column(frame):
        raise FrameConversionError(f"{type(frame).__name__} is one column, not a frame.", hint="Use .to_frame().")
    if hasattr(frame, "toArrow"):  # Spark 4, whose stream cannot tell the zone of times under Spark Connect
        return _table_reader(frame.toArrow())
    if hasattr(frame, "__arrow_c_stream__") and hasattr(pa.RecordBatchReader, "from_stream"):
        return pa.RecordBatchReader.from_stream(frame)
    if hasattr(frame, "toPandas"):  # Spark 3
        return _table_reader(_pandas_table(frame.toPandas()))
    if hasattr(frame, "to_arrow"):  # polars under a pyarrow too old for from_stream
        return _reader(frame.to_arrow())
    if hasattr(frame, "__arrow_c_stream__"):
        raise FrameConversionError(
            f"pyarrow {pa.__version__} cannot read a {type(frame).__name__}.", hint='Run:  pip install "pyarrow>=15"'
        )
    raise FrameConversionError(f"{type(frame).__name__} is not a frame.", hint=f"Accepted are {_ACCEPTED}.")


def is_pandas(frame: Any) -> bool:
    pandas = sys.modules.get("pandas")  # a pandas frame cannot exist where pandas is not imported
    return pandas is not None and isinstance(frame, pandas.DataFrame)


def _is_polars(frame: Any) -> bool:
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(frame, polars.DataFrame)


def _is_list_of_rows(frame: Any) -> bool:
    return isinstance(frame, list) and bool(frame) and all(isinstance(row, Mapping) for row in frame)


def _pandas_table(frame: Any) -> pa.Table:
    pa = require("pyarrow")
    frame = _with_named_index(frame)
    if frame.columns.nlevels > 1:
        raise FrameConversionError("The frame has several levels of column names; flatten them first.")
    odd = [name for name in frame.columns if not isinstance(name, str)]
    if odd:
        raise FrameConversionError(
            f"Column names must be text; these are not: {', '.join(map(repr, odd))}.",
            hint="df.columns = df.columns.map(str)",
        )
    if not frame.columns.is_unique:
        repeated = sorted(set(frame.columns[frame.columns.duplicated()]))
        raise FrameConversionError(f"The frame has more than one column named {', '.join(map(repr, repeated))}.")
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        # Once more, column by column, to find the one to name.
        return _table_of([(name, frame[name]) for name in frame.columns])
    for name in frame.columns:
        _require_dates_only(name, table.schema.field(name).type, frame[name])
    return table


def _with_named_index(frame: Any) -> Any:
    named = [name for name in frame.index.names if name is not None]
    if not named:
        return frame
    twice = [str(name) for name in named if name in frame.columns]
    if twice:
        raise FrameConversionError(
            f"{', '.join(twice)} is the name of an index level and of a column.",
            hint="Use df.reset_index(drop=True) to drop the index, or rename one of them.",
        )
    return frame.reset_index(level=named)


def _table_of(columns: List[Any]) -> pa.Table:
    pa = require("pyarrow")
    arrays = [_array(name, values) for name, values in columns]
    lengths = {str(name): len(array) for (name, _), array in zip(columns, arrays)}
    if len(set(lengths.values())) > 1:
        raise FrameConversionError(f"The columns differ in length: {lengths}.")
    return pa.Table.from_arrays(arrays, names=[str(name) for name, _ in columns])


def _table_of_rows(rows: List[Mapping[str, Any]]) -> pa.Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return _table_of([(name, [row.get(name) for row in rows]) for name in names])


def _array(name: Any, values: Any) -> Any:
    pa = require("pyarrow")
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return values
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise FrameConversionError(
            f"Column {str(name)!r} cannot be converted: {error}",
            hint="Usually it mixes types, such as text and numbers; give it one: df[name] = df[name].astype(…).",
        ) from error
    _require_dates_only(name, array.type, values)
    return array


def _require_dates_only(name: Any, kind: Any, values: Any) -> None:
    """Arrow makes dates of a column whose first value is one, and drops the time of day of the others."""
    if not require("pyarrow").types.is_date(kind) or not holds_objects(values):
        return
    if any(isinstance(value, datetime) for value in values):
        raise FrameConversionError(
            f"Column {str(name)!r} mixes dates and times.",
            hint="Give it one type: df[name] = pandas.to_datetime(df[name]).",
        )


def holds_objects(values: Any) -> bool:
    """Whether each value has a type of its own."""
    return isinstance(values, (list, tuple)) or str(getattr(values, "dtype", "")) == "object"


def _table_reader(table: pa.Table) -> pa.RecordBatchReader:
    """Plain columns only: no metadata of pandas (it names the index), no dictionaries but of text."""
    pa = require("pyarrow")
    for column in table.schema:
        if isinstance(column.type, pa.BaseExtensionType):
            raise FrameConversionError(
                f"Column {column.name!r} has the type {column.type}, which no feature has.",
                hint="Convert it first: df[name].astype(str), or .dt.to_timestamp() for periods.",
            )
    fields = [
        pa.field(column.name, column.type.value_type) if _is_odd_dictionary(column.type) else column
        for column in table.schema
    ]
    table = table.cast(pa.schema(fields)) if any(_is_odd_dictionary(f.type) for f in table.schema) else table
    return pa.RecordBatchReader.from_batches(table.schema, table.to_batches())


def _is_odd_dictionary(kind: Any) -> bool:
    types = require("pyarrow").types
    if not types.is_dictionary(kind):
        return False
    # Compared by name, because older pyarrow has no string_view to compare with.
    return str(kind.value_type) not in {"string", "large_string", "string_view"}
