"""NumPy's own files: a matrix where all columns have one type, a structured array where they do not."""

import shutil
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infra.errors import FrameInvalidError, InvalidInputError

_Values: TypeAlias = npt.NDArray[Any]
_READ_ROWS: Final = 65_536
_LONGEST_HEADER: Final = 1 << 24
_TYPES: Final[dict[pa.DataType, str]] = {
    pa.int8(): "<i1",
    pa.int16(): "<i2",
    pa.int32(): "<i4",
    pa.int64(): "<i8",
    pa.float32(): "<f4",
    pa.float64(): "<f8",
    pa.bool_(): "|b1",
    pa.date32(): "<M8[D]",
    pa.timestamp("us", "UTC"): "<M8[us]",
}


class NpyFormat:
    """Implements `infra.ports.formats.DataFormat`.

    There are no nulls: they become NaN among floats and NaT among times, and are refused elsewhere.
    """

    name = "npy"
    suffix = ".npy"

    def check(self, schema: pa.Schema) -> None:
        refused = [field for field in schema if field.type not in _TYPES]
        if refused:
            raise InvalidInputError(
                f"npy holds numbers, booleans, dates and times only: {', '.join(field.name for field in refused)}.",
                hint="Choose parquet, cast decimals to DOUBLE, or leave these columns out.",
                errors=[{"field": field.name, "message": f"{field.type} has no NumPy type"} for field in refused],
            )
        _require_names(schema)

    def write(self, batches: Iterator[pa.RecordBatch], schema: pa.Schema, sink: BinaryIO) -> int:
        """The file begins with the number of rows, so that they wait on disk until it is known."""
        rows, dtype = 0, _dtype(schema)
        with tempfile.TemporaryFile() as body:
            for batch in batches:
                body.write(_rows(batch, schema, dtype).tobytes())
                rows += batch.num_rows
            np.lib.format.write_array_header_2_0(sink, _header(dtype, rows))
            body.seek(0)
            shutil.copyfileobj(body, sink, 1 << 20)
        return rows

    def read(self, source: BinaryIO, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        dtype = _dtype(schema)
        total = _read_header(source, dtype)
        for start in range(0, total, _READ_ROWS):
            count = min(_READ_ROWS, total - start)
            data = source.read(count * dtype.itemsize)
            if len(data) < count * dtype.itemsize:
                raise FrameInvalidError("The npy file ends before its last row.")
            yield _batch(np.frombuffer(data, dtype), schema)


def _require_names(schema: pa.Schema) -> None:
    """A matrix has none; else they are in the header, which is Latin-1 in all versions that NumPy has functions for."""
    odd = [name for name in schema.names if not _is_latin(name)] if len(set(schema.types)) > 1 else []
    if odd:
        raise InvalidInputError(
            f"npy has no names like: {', '.join(odd)}.",
            hint="Choose parquet, or rename these columns.",
            errors=[{"field": name, "message": "has letters that are not in Latin-1"} for name in odd],
        )


def _is_latin(name: str) -> bool:
    return all(ord(letter) < 256 for letter in name)


def _dtype(schema: pa.Schema) -> np.dtype[Any]:
    """Of one row."""
    return np.dtype([(field.name, _TYPES[field.type]) for field in schema])


def _rows(batch: pa.RecordBatch, schema: pa.Schema, dtype: np.dtype[Any]) -> _Values:
    rows = np.empty(batch.num_rows, dtype)
    for field in schema:
        rows[field.name] = _values(field.name, batch.column(field.name))
    return rows


def _values(name: str, column: pa.Array) -> _Values:
    if column.null_count and not (pa.types.is_floating(column.type) or pa.types.is_temporal(column.type)):
        raise InvalidInputError(
            f"npy cannot hold {name}: it has nulls, for which {column.type} has no value in NumPy.",
            hint="Choose parquet, fill the nulls, or cast the column to DOUBLE.",
            errors=[{"field": name, "message": "has nulls"}],
        )
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us"))
    values: _Values = column.to_numpy(zero_copy_only=False)
    return values


def _header(dtype: np.dtype[Any], rows: int) -> dict[str, Any]:
    """A matrix has the bytes of its rows, and no names."""
    assert dtype.names is not None
    kinds = {dtype[name] for name in dtype.names}
    if len(kinds) == 1:
        return {"descr": kinds.pop().str, "fortran_order": False, "shape": (rows, len(dtype.names))}
    return {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (rows,)}


def _read_header(source: BinaryIO, dtype: np.dtype[Any]) -> int:
    """The number of rows, each of which is a `dtype`."""
    try:
        np.lib.format.read_magic(source)
        shape, _, found = np.lib.format.read_array_header_2_0(source, max_header_size=_LONGEST_HEADER)
    except ValueError as error:
        raise FrameInvalidError(f"This is no npy file: {error}") from error
    rows = shape[0] if shape else 0
    expected = _header(dtype, rows)
    if expected["shape"] != shape or np.lib.format.descr_to_dtype(expected["descr"]) != found:
        raise FrameInvalidError(f"This is no npy file of the expected shape, but one of {found} in {shape}.")
    return int(rows)


def _batch(rows: _Values, schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for field in schema:
        values = pa.array(np.ascontiguousarray(rows[field.name]))
        columns.append(
            values.cast(pa.timestamp("us")).cast(field.type) if pa.types.is_timestamp(field.type) else values
        )
    return pa.record_batch(columns, schema=schema)
