"""The rows of the files in `task["groups"]` into one file of `task["format"]`, by one library alone."""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import google_crc32c
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from benchmarks.ways import Answered, Task, Way
from infra.formats.tfrecords.parsing import EXAMPLE

_BATCH = 65_536
_MASK = 0xA282EAD8


def prepare(task: Task) -> Way:
    (files,) = task["groups"].values()
    target = Path(task["target"])
    write = _WAYS[task["library"], task["format"]]

    def run() -> Answered:
        target.unlink(missing_ok=True)
        write(files, target)
        return Answered(sum(pq.read_metadata(file).num_rows for file in files))

    return run


def _pyarrow_parquet(files: Sequence[str], target: Path) -> None:
    with pq.ParquetWriter(target, pq.read_schema(files[0]), compression="zstd") as writer:
        for batch in _batches(files):
            writer.write_batch(batch)


def _pyarrow_csv(files: Sequence[str], target: Path) -> None:
    with pa.csv.CSVWriter(target, pq.read_schema(files[0])) as writer:
        for batch in _batches(files):
            writer.write_batch(batch)


def _polars_parquet(files: Sequence[str], target: Path) -> None:
    import polars as pl  # noqa: PLC0415 one library for each process

    pl.scan_parquet(list(files)).sink_parquet(target, compression="zstd", compression_level=1)


def _polars_csv(files: Sequence[str], target: Path) -> None:
    import polars as pl  # noqa: PLC0415 one library for each process

    pl.scan_parquet(list(files)).sink_csv(target)


def _duckdb_parquet(files: Sequence[str], target: Path) -> None:
    _copy(files, f"TO '{target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")


def _duckdb_csv(files: Sequence[str], target: Path) -> None:
    _copy(files, f"TO '{target}' (FORMAT csv, HEADER)")


def _copy(files: Sequence[str], destination: str) -> None:
    import duckdb  # noqa: PLC0415 one library for each process

    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM read_parquet({list(files)!r})) {destination}")


def _protobuf_tfrecords(files: Sequence[str], target: Path) -> None:
    """As TensorFlow's own guide has it, an Example for each row, without TensorFlow."""
    with target.open("wb") as sink:
        for batch in _batches(files):
            for row in batch.to_pylist():
                sink.write(_framed(_example(row)))


def _example(row: Mapping[str, Any]) -> bytes:
    example = EXAMPLE()
    features = example.features.feature
    for name, value in row.items():
        if isinstance(value, float):
            features[name].float_list.value.append(value)
        elif isinstance(value, int):
            features[name].int64_list.value.append(int(value))
        elif value is not None:
            features[name].bytes_list.value.append(str(value).encode())
    return bytes(example.SerializeToString())


def _framed(record: bytes) -> bytes:
    length = struct.pack("<Q", len(record))
    return length + _masked(length) + record + _masked(record)


def _masked(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF)


def _batches(files: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for file in files:
        with pq.ParquetFile(file) as opened:
            yield from opened.iter_batches(_BATCH)


_WAYS: Mapping[tuple[str, str], Callable[[Sequence[str], Path], None]] = {
    ("pyarrow", "parquet"): _pyarrow_parquet,
    ("pyarrow", "csv"): _pyarrow_csv,
    ("polars", "parquet"): _polars_parquet,
    ("polars", "csv"): _polars_csv,
    ("DuckDB", "parquet"): _duckdb_parquet,
    ("DuckDB", "csv"): _duckdb_csv,
    ("protobuf", "tfrecords"): _protobuf_tfrecords,
}
LIBRARIES: Mapping[str, Sequence[str]] = {
    wanted: [library for library, data_format in _WAYS if data_format == wanted]
    for wanted in ("parquet", "csv", "tfrecords")
}
