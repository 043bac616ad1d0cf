"""An Arrow table → the kind of frame that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

from hops.featurestore.errors import InvalidInputError
from hops.featurestore.extras import require
from hops.featurestore.reader import RowReader, TableSource
from hops.featurestore.spark import active_session, default_session, frame_from_table

if TYPE_CHECKING:
    import pyarrow as pa

DEFAULT = "default"
READER = "reader"
SPARK = "spark"

_LARGE = 64 * 1024 * 1024  # bytes


def resolve_container(dataframe_type: Any = DEFAULT, as_: Optional[str] = None) -> str:
    """The name of a container, checked before anything is asked of the gateway. `as_` wins over `dataframe_type`.

    The default is Spark where Databricks runs a session, and pandas anywhere else.
    """
    name = as_ if as_ is not None else dataframe_type
    if name is None or name == DEFAULT:
        return "pandas" if default_session() is None else SPARK
    if name not in _CONTAINERS:
        raise InvalidInputError(f"{name!r} is no kind of frame.", candidates=sorted(_CONTAINERS))
    if name == SPARK:
        active_session()
    return str(name)


def convert(table: pa.Table, container: str) -> Any:
    return convert_only([table], container)


def convert_only(only: List[pa.Table], container: str) -> Any:
    """Takes the table out of the list: if nobody else holds it, its memory is not needed a second time."""
    return _CONTAINERS[container](only)


def _pandas(only: List[pa.Table]) -> Any:
    """Integers with nulls come as pandas' nullable ones: as floats, ids beyond 2^53 would be others."""
    types, nullable = require("pyarrow").types, {}
    for index, name in enumerate(only[0].column_names):
        column = only[0].column(index)
        if types.is_integer(column.type) and column.null_count:
            nullable[name] = _nullable(column)
            only.append(only.pop().set_column(index, name, _placeholder(len(column))))
    column = None  # or it would be held while it is converted
    frame = _plain(only)
    for name, values in nullable.items():
        frame[name] = values
    return frame


def _plain(only: List[pa.Table]) -> Any:
    """What pyarrow makes of it. A large table gives its columns up one by one while they are converted."""
    if only[0].nbytes < _LARGE:
        return only.pop().to_pandas()
    arrow, schema = require("pyarrow"), only[0].schema
    columns = [arrow.chunked_array(_pieces(column), column.type) for column in only.pop().columns]
    table = arrow.Table.from_arrays(columns, schema=schema)
    del columns
    return table.to_pandas(split_blocks=True, self_destruct=True)


def _pieces(column: pa.ChunkedArray) -> Any:
    """Two at least: of one, pyarrow would hand out the column's own memory, and no cell of that can be written."""
    if column.num_chunks != 1:
        return column.chunks
    return [column.chunk(0).slice(0, 1), column.chunk(0).slice(1)]


def _placeholder(rows: int) -> pa.Array:
    """The cheapest there is."""
    return require("pyarrow").repeat(False, rows)  # noqa: FBT003 its value


def _nullable(column: pa.ChunkedArray) -> Any:
    """`int8` → `Int8`, `uint16` → `UInt16`."""
    name = str(column.type).replace("uint", "UInt").replace("int", "Int")
    return require("pandas").api.types.pandas_dtype(name).__from_arrow__(column)


def _numpy(only: List[pa.Table]) -> Any:
    """Two dimensions, rows by columns, as the original clients gave; of mixed types it has dtype object."""
    require("pandas")
    return _plain(only).to_numpy()


def _polars(only: List[pa.Table]) -> Any:
    return require("polars").from_arrow(only.pop())


def _arrow(only: List[pa.Table]) -> pa.Table:
    return only.pop()


def _reader(only: List[pa.Table]) -> RowReader:
    return RowReader(TableSource(only.pop()))


def _spark(only: List[pa.Table]) -> Any:
    return frame_from_table(active_session(), only.pop())


_CONTAINERS: Dict[str, Callable[[Any], Any]] = {
    "pandas": _pandas,
    "polars": _polars,
    "pyarrow": _arrow,
    "arrow": _arrow,
    "numpy": _numpy,
    READER: _reader,
    SPARK: _spark,
}
