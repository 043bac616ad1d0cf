"""HDF5: one dataset for each column, at the root."""

import shutil
import tempfile
from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO, Final

import h5py
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from infra.errors import FrameInvalidError, InvalidInputError
from infra.formats.gathering import gathered

_NULLS: Final = "oasthouse_nulls"
_UNIT: Final = "unit"
_GATHERED_BYTES: Final = 16 << 20
_CHUNK_ROWS: Final = 16_384
_SMALLEST_CHUNK: Final = 64
_READ_ROWS: Final = 65_536
_TEXT: Final = h5py.string_dtype("utf-8")
_TIME: Final = pa.timestamp("us", "UTC")
_NUMBERS: Final = frozenset({pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.bool_()})
_UNITS: Final = {_TIME: "microseconds since 1970-01-01 UTC", pa.date32(): "days since 1970-01-01"}
_COUNTED: Final = {_TIME: pa.int64(), pa.date32(): pa.int32()}


class Hdf5Format:
    """Implements `infra.ports.formats.DataFormat`.

    Times and dates are counts whose attribute `unit` says of what. A null is 0, NaN or an empty text, and true in the dataset
    of the column's name in the group `oasthouse_nulls`; a column without nulls has none there.
    """

    name = "hdf5"
    suffix = ".hdf5"

    def check(self, schema: pa.Schema) -> None:
        errors = [{"field": field.name, "message": why} for field in schema if (why := _unfit(field)) is not None]
        if errors:
            raise InvalidInputError(
                f"hdf5 cannot hold: {', '.join(error['field'] for error in errors)}.",
                hint="Choose parquet, cast decimals to DOUBLE, or leave these columns out.",
                errors=errors,
            )

    def write(self, batches: Iterator[pa.RecordBatch], schema: pa.Schema, sink: BinaryIO) -> int:
        """HDF5 goes back and forth in a file, which a sink does not allow, so that it is made on disk first."""
        rows = 0
        with tempfile.NamedTemporaryFile(suffix=self.suffix) as made:
            tables = gathered(batches, schema, _GATHERED_BYTES)
            first = next(tables, schema.empty_table())
            with h5py.File(made.name, "w", libver="v110") as file:
                for field in schema:
                    _create(file, field, _chunk(first))
                for table in chain([first], tables):
                    for field in schema:
                        _append(file, field.name, table.column(field.name).combine_chunks(), rows)
                    rows += table.num_rows
            shutil.copyfileobj(made, sink, 1 << 20)
        return rows

    def read(self, source: BinaryIO, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        with tempfile.NamedTemporaryFile(suffix=self.suffix) as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
            copy.flush()
            try:
                with h5py.File(copy.name, "r") as file:
                    rows = len(file[schema.names[0]]) if len(schema) else 0
                    for start in range(0, rows, _READ_ROWS):
                        end = min(rows, start + _READ_ROWS)
                        columns = [_read(file, field, start, end) for field in schema]
                        yield pa.record_batch(columns, schema=schema)
            except (OSError, KeyError, ValueError, TypeError, pa.ArrowException) as error:
                raise FrameInvalidError(f"This is no HDF5 file of the expected shape: {error}") from error


def _unfit(field: pa.Field) -> str | None:
    if "/" in field.name or field.name in {"", ".", _NULLS}:
        return "is no name for a dataset in HDF5"
    known = field.type in _NUMBERS or field.type in _UNITS or pa.types.is_string(field.type)
    return None if known else f"{field.type} has no HDF5 type"


def _chunk(first: pa.Table) -> tuple[int]:
    """A chunk takes room as a whole, in every column, as soon as a row is in it: few rows, or wide ones, take small chunks."""
    return (min(_CHUNK_ROWS, max(_SMALLEST_CHUNK, first.num_rows)),)


def _create(file: h5py.File, field: pa.Field, chunk: tuple[int]) -> None:
    dtype = _TEXT if pa.types.is_string(field.type) else _counted(field.type).to_pandas_dtype()
    column = file.create_dataset(field.name, (0,), dtype, maxshape=(None,), chunks=chunk, track_times=False)
    if field.type in _UNITS:
        column.attrs[_UNIT] = _UNITS[field.type]


def _append(file: h5py.File, name: str, column: pa.Array, start: int) -> None:
    end = start + len(column)
    _extend(file[name], start, end, _values(name, column))
    path = f"{_NULLS}/{name}"
    if column.null_count and path not in file:
        chunk = file[name].chunks
        file.create_dataset(path, (start,), np.bool_, maxshape=(None,), chunks=chunk, track_times=False)
    if path in file:
        _extend(file[path], start, end, column.is_null().to_numpy(zero_copy_only=False))


def _extend(dataset: h5py.Dataset, start: int, end: int, values: npt.NDArray[Any]) -> None:
    dataset.resize((end,))
    dataset[start:end] = values


def _values(name: str, column: pa.Array) -> npt.NDArray[Any]:
    if pa.types.is_string(column.type):
        texts: npt.NDArray[Any] = column.fill_null("").to_numpy(zero_copy_only=False)
        if pc.any(pc.match_substring(column, "\0")).as_py():
            what = "has text with a zero character, where HDF5 ends a text"
            raise InvalidInputError(
                f"hdf5 cannot hold {name}: it {what}.",
                hint="Choose parquet, or leave this column out.",
                errors=[{"field": name, "message": what}],
            )
        return texts
    counted = column.cast(_counted(column.type))
    filled = counted.fill_null(float("nan") if pa.types.is_floating(counted.type) else pa.scalar(0).cast(counted.type))
    values: npt.NDArray[Any] = filled.to_numpy(zero_copy_only=False)
    return values


def _read(file: h5py.File, field: pa.Field, start: int, end: int) -> pa.Array:
    stored, path = file[field.name], f"{_NULLS}/{field.name}"
    nulls = file[path][start:end] if path in file else None
    if pa.types.is_string(field.type):
        return pa.array(stored.asstr()[start:end], pa.string(), mask=nulls)
    return pa.array(stored[start:end], _counted(field.type), mask=nulls).cast(field.type)


def _counted(column: pa.DataType) -> pa.DataType:
    return _COUNTED.get(column, column)
