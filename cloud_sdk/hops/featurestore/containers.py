"""An Arrow table → the kind of frame that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, Optional

from hops.featurestore.errors import InvalidInputError, NotSupportedError
from hops.featurestore.extras import require

if TYPE_CHECKING:
    import pyarrow as pa


def resolve_container(dataframe_type: Any = "pandas", as_: Optional[str] = None) -> str:
    """The name of a container, checked before anything is asked of the gateway. `as_` wins over `dataframe_type`."""
    name = as_ if as_ is not None else dataframe_type
    if name == "spark":
        raise NotSupportedError(
            "Spark frames are not answered yet.",
            hint='Use "pandas" and spark.createDataFrame(frame), or "polars", "pyarrow".',
        )
    if name not in _CONTAINERS:
        raise InvalidInputError(f"{name!r} is no kind of frame.", candidates=sorted(_CONTAINERS))
    return str(name)


def convert(table: pa.Table, container: str) -> Any:
    return _CONTAINERS[container](table)


def _pandas(table: pa.Table) -> Any:
    """Integers with nulls come as pandas' nullable ones: as floats, ids beyond 2^53 would be others."""
    pandas, types = require("pandas"), require("pyarrow").types
    frame = table.to_pandas()
    for name, column in zip(table.column_names, table.columns):
        if types.is_integer(column.type) and column.null_count:
            frame[name] = pandas.array(column.to_pylist(), dtype=_nullable(column.type))
    return frame


def _nullable(kind: pa.DataType) -> str:
    """`int8` → `Int8`, `uint16` → `UInt16`."""
    return str(kind).replace("uint", "UInt").replace("int", "Int")


def _numpy(table: pa.Table) -> Any:
    """Two dimensions, rows by columns, as the original clients gave; of mixed types it has dtype object."""
    require("pandas")
    return table.to_pandas().to_numpy()


def _polars(table: pa.Table) -> Any:
    return require("polars").from_arrow(table)


def _arrow(table: pa.Table) -> pa.Table:
    return table


_CONTAINERS: Dict[str, Callable[[Any], Any]] = {
    "pandas": _pandas,
    "polars": _polars,
    "pyarrow": _arrow,
    "arrow": _arrow,
    "numpy": _numpy,
}
