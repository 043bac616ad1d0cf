"""Files written by others: every format and type, and everything that can be wrong with one."""

import bz2
import csv
import gzip
import io
import json
import lzma
import zlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.orc as pa_orc
import pyarrow.parquet as pq
import pytest

from infra.formats.foreign import avro_blocks
from infra.formats.foreign.avro import ForeignAvro
from infra.formats.foreign.delimited import foreign_csv, foreign_tsv
from infra.formats.foreign.json_lines import ForeignJsonLines
from infra.formats.foreign.orc import ForeignOrc
from infra.formats.foreign.parquet import ForeignParquet
from infra.formats.foreign.texts import Kind, kind_of, wider
from infra.ports.imports import ImportFormat, NotReadable

TIME = pa.timestamp("us", "UTC")
AT = datetime(2020, 2, 29, 23, 59, 59, 123456, tzinfo=UTC)
TABLE = pa.table(
    {
        "whole": pa.array([1, None, -(2**63)], pa.int64()),
        "small": pa.array([1, None, -128], pa.int8()),
        "real": pa.array([0.1, None, 1e300]),
        "flag": pa.array([True, None, False]),
        "text": pa.array(["é 日本", None, ""]),
        "day": pa.array([date(2020, 2, 29), None, date(1, 1, 1)]),
        "moment": pa.array([AT, None, AT], TIME),
        "exact": pa.array([Decimal("1.50"), None, Decimal("-99999999.99")], pa.decimal128(10, 2)),
    }
)
NESTED = pa.table(
    {
        "list": pa.array([[1, None], None, []], pa.list_(pa.int64())),
        "record": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": ""}]),
        "raw": pa.array([b"\x00\xff", None, b""]),
    }
)


def read(reader: ImportFormat, body: bytes, wanted: dict[str, pa.DataType] | None = None) -> pa.Table:
    """Through both passes; the schema told first is that of the rows."""
    file = pa.py_buffer(body)
    schema = reader.schema(file, (wanted or {}).get)
    batches = [_unfolded(batch, schema) for batch in reader.batches(file, schema)]
    return pa.Table.from_batches(batches, schema)


def _unfolded(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [each.dictionary_decode() if pa.types.is_dictionary(each.type) else each for each in batch.columns]
    return pa.RecordBatch.from_arrays(
        [column.cast(field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


def refusal(reader: ImportFormat, body: bytes, wanted: dict[str, pa.DataType] | None = None) -> str:
    with pytest.raises(NotReadable) as refused:
        read(reader, body, wanted)
    return refused.value.what


def in_memory(write: Any) -> bytes:
    sink = io.BytesIO()
    write(sink)
    return sink.getvalue()


# with types of their own


@pytest.mark.parametrize("table", [TABLE, NESTED], ids=["flat", "nested"])
@pytest.mark.parametrize(
    "options",
    [{}, {"row_group_size": 1}, {"compression": "gzip", "use_dictionary": False}, {"version": "1.0"}],
    ids=str,
)
def test_parquet_of_arrow(table: pa.Table, options: dict[str, Any]) -> None:
    body = in_memory(lambda sink: pq.write_table(table, sink, **options))
    assert read(ForeignParquet(), body).to_pylist() == table.to_pylist()


@pytest.mark.parametrize("table", [TABLE, NESTED], ids=["flat", "nested"])
def test_parquet_of_polars(table: pa.Table) -> None:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    assert read(ForeignParquet(), in_memory(frame.write_parquet)).to_pylist() == table.to_pylist()


def test_parquet_of_one_huge_row_group_is_read_in_pieces() -> None:
    table = pa.table({"a": range(100_000), "text": ["x" * 100] * 100_000})
    body = in_memory(lambda sink: pq.write_table(table, sink, row_group_size=100_000, use_dictionary=False))
    reader = ForeignParquet()
    file = pa.py_buffer(body)
    sizes = [batch.num_rows for batch in reader.batches(file, reader.schema(file, lambda _name: None))]
    assert (sum(sizes), max(sizes)) == (100_000, 16_384)


def test_parquet_of_long_values_is_read_a_few_at_a_time() -> None:
    table = pa.table({"text": [str(number) * (1 << 20) for number in range(10)] * 6})
    body = in_memory(lambda sink: pq.write_table(table, sink, use_dictionary=False))
    reader = ForeignParquet()
    file = pa.py_buffer(body)
    assert max(batch.num_rows for batch in reader.batches(file, reader.schema(file, lambda _name: None))) <= 16


def test_parquet_of_long_lists_is_read_a_few_at_a_time() -> None:
    """The same value a million times takes a few bytes of the file."""
    table = pa.table({"list": [[0] * 20_000] * 1_000})
    file = pa.py_buffer(in_memory(lambda sink: pq.write_table(table, sink, compression="zstd")))
    assert file.size < 10_000
    reader = ForeignParquet()
    sizes = [batch.nbytes for batch in reader.batches(file, reader.schema(file, lambda _name: None))]
    assert sum(sizes) > 20_000 * 1_000 * 8 - 1
    assert max(sizes) < 20 << 20


def test_an_annotation_is_read_as_what_it_annotates() -> None:
    table = pa.table({"id": pa.array([UUID(int=1).bytes], pa.uuid()), "wide": pa.array(["x"], pa.large_string())})
    file = pa.py_buffer(in_memory(lambda sink: pq.write_table(table, sink)))
    assert ForeignParquet().schema(file, lambda _name: None).types == [pa.binary(), pa.string()]


@pytest.mark.parametrize("stripe", [1 << 10, 64 << 20])
def test_orc_of_arrow(stripe: int) -> None:
    table = pa.concat_tables([TABLE.set_column(5, "day", pa.array([date(2020, 1, 1), None, None]))] * 1000)
    body = in_memory(lambda sink: pa_orc.write_table(table, sink, stripe_size=stripe))
    assert read(ForeignOrc(), body).to_pylist() == table.to_pylist()


def test_orc_of_one_huge_stripe_is_read_in_pieces() -> None:
    table = pa.table({"text": ["x" * 100_000] * 3_000})
    body = in_memory(
        lambda sink: pa_orc.write_table(
            table, sink, stripe_size=1 << 40, compression="zstd", dictionary_key_size_threshold=0.9
        )
    )
    assert len(body) < 10_000
    assert pa_orc.ORCFile(io.BytesIO(body)).nstripes == 1
    reader, file = ForeignOrc(), pa.py_buffer(body)
    sizes = [batch.nbytes for batch in reader.batches(file, reader.schema(file, lambda _name: None))]
    assert sum(sizes) > 300_000_000
    assert max(sizes) < 20 << 20


def test_orc_whose_texts_are_none_is_refused() -> None:
    table = pa.table({"text": ["canary"]})
    body = in_memory(lambda sink: pa_orc.write_table(table, sink, compression="uncompressed"))
    assert "UTF8" in refusal(ForeignOrc(), body.replace(b"canary", b"\xff\xfenary"))


AVRO = {
    "type": "record",
    "name": "row",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "kind", "type": {"type": "enum", "name": "kinds", "symbols": ["A", "B"]}},
        {"name": "again", "type": ["null", "kinds"]},
        {"name": "number", "type": ["null", "int", "double"]},
        {"name": "hash", "type": {"type": "fixed", "name": "hashes", "size": 2}},
        {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
        {"name": "local", "type": {"type": "long", "logicalType": "local-timestamp-micros"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "exact", "type": {"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2}},
        {"name": "uuid", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "list", "type": {"type": "array", "items": ["null", "string"]}},
        {"name": "map", "type": {"type": "map", "values": "float"}},
        {"name": "record", "type": {"type": "record", "name": "inner", "fields": [{"name": "x", "type": "boolean"}]}},
    ],
}
AVRO_ROW = {
    "id": 1,
    "kind": "A",
    "again": None,
    "number": 2.5,
    "hash": b"ab",
    "at": AT.replace(microsecond=123000),
    "local": AT.replace(tzinfo=None),
    "day": date(2020, 1, 1),
    "exact": Decimal("1.25"),
    "uuid": UUID(int=7),
    "list": ["a", None],
    "map": {"k": 0.5},
    "record": {"x": True},
}


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz"])
def test_avro_of_fastavro(codec: str) -> None:
    rows = [{**AVRO_ROW, "id": number, "number": number} for number in range(20_000)]
    body = in_memory(lambda sink: fastavro.writer(sink, AVRO, rows, codec=codec))
    found = read(ForeignAvro(), body)
    assert found.num_rows == 20_000
    last = found.slice(19_999).to_pylist()[0]
    assert last == {**rows[-1], "uuid": str(UUID(int=7)), "map": [("k", 0.5)]}
    assert found.schema.field("number").type == pa.float64()


@pytest.mark.parametrize("codec", ["uncompressed", "snappy", "deflate"])
def test_avro_of_polars(codec: Any) -> None:
    frame = pl.DataFrame({"a": [1, None] * 500, "b": ["x", None] * 500, "c": [date(2020, 1, 1), None] * 500})
    body = in_memory(lambda sink: frame.write_avro(sink, compression=codec))
    assert read(ForeignAvro(), body).to_pylist() == frame.to_dicts()


TEXT_IN_AVRO = {"type": "record", "name": "row", "fields": [{"name": "a", "type": "string"}]}


def avro_of(codec: str, schema: dict[str, Any], *blocks: tuple[int, bytes]) -> bytes:
    """An Avro file whose blocks are said to have so many rows."""
    meta = {"avro.codec": codec.encode(), "avro.schema": json.dumps(schema).encode()}
    header = {"magic": b"Obj\x01", "meta": meta, "sync": b"s" * 16}
    sink = io.BytesIO()
    fastavro.schemaless_writer(sink, avro_blocks._HEADER, header)
    for rows, block in blocks:
        sink.write(avro_blocks._encoded(rows) + avro_blocks._encoded(len(block)) + block + b"s" * 16)
    return sink.getvalue()


def test_avro_in_zstandard() -> None:
    packed = pa.compress(b"\x06abc\x02d", codec="zstd", asbytes=True)
    body = avro_of("zstandard", TEXT_IN_AVRO, (2, packed), (2, packed))
    assert read(ForeignAvro(), body)["a"].to_pylist() == ["abc", "d"] * 2
    assert "packed with 'lzo'" in refusal(ForeignAvro(), avro_of("lzo", TEXT_IN_AVRO, (2, packed)))


@pytest.mark.parametrize("codec", ["deflate", "bzip2", "xz", "zstandard", "snappy"])
def test_avro_is_unpacked_no_further_than_it_may_be(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avro_blocks, "BLOCK_BYTES", 1 << 20)
    packing: dict[str, Any] = {
        "deflate": lambda data: zlib.compress(data, wbits=-15),
        "bzip2": bz2.compress,
        "xz": lzma.compress,
        "zstandard": lambda data: pa.compress(data, codec="zstd", asbytes=True),
        "snappy": lambda data: pa.compress(data, codec="snappy", asbytes=True) + zlib.crc32(data).to_bytes(4, "big"),
    }
    pack = packing[codec]
    fits, bomb = pack(b"\x00" * (1 << 20)), pack(b"\x00" * (40 << 20))
    assert read(ForeignAvro(), avro_of(codec, TEXT_IN_AVRO, (1 << 20, fits))).num_rows == 1 << 20
    assert "more than 1 MiB" in refusal(ForeignAvro(), avro_of(codec, TEXT_IN_AVRO, (1, bomb)))


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz"])
def test_avro_that_is_cut_within_a_block_is_no_shorter_file(codec: str) -> None:
    whole = in_memory(lambda sink: fastavro.writer(sink, TEXT_IN_AVRO, [{"a": "x"}] * 100, codec=codec))
    for end in (1, 16, 17, 30):
        assert "can be read" in refusal(ForeignAvro(), whole[:-end])
    header, block = avro_of(codec, TEXT_IN_AVRO), b"\x02\x09"  # of a size less than nothing
    assert "can be read" in refusal(ForeignAvro(), header + block + b"s" * 16)


@pytest.mark.parametrize(
    "items", ["null", {"type": "record", "name": "e", "fields": []}, {"type": "fixed", "name": "f", "size": 0}], ids=str
)
def test_avro_has_no_lists_of_nothing(items: Any) -> None:
    """Their length is not bounded by that of the file."""
    schema = {"type": "record", "name": "r", "fields": [{"name": "a", "type": {"type": "array", "items": items}}]}
    body = avro_of("null", schema, (1, avro_blocks._encoded(1 << 40) + b"\x00"))
    assert "lists of nothing in column 'a'" in refusal(ForeignAvro(), body)


def test_avro_of_long_values_is_read_a_few_at_a_time() -> None:
    rows = [{"a": str(number % 10) * (1 << 20)} for number in range(40)]
    file = pa.py_buffer(in_memory(lambda sink: fastavro.writer(sink, TEXT_IN_AVRO, rows, codec="deflate")))
    reader = ForeignAvro()
    sizes = [batch.num_rows for batch in reader.batches(file, reader.schema(file, lambda _name: None))]
    assert (sum(sizes), max(sizes) <= 6) == (40, True)


def test_avro_that_is_no_table() -> None:
    mixed = {"type": "record", "name": "r", "fields": [{"name": "a", "type": ["int", "string"]}]}
    assert "several types" in refusal(ForeignAvro(), in_memory(lambda sink: fastavro.writer(sink, mixed, [{"a": 1}])))
    within = {"type": "record", "name": "r", "fields": [{"name": "a", "type": ["null", "r"]}]}
    assert "within themselves" in refusal(
        ForeignAvro(), in_memory(lambda sink: fastavro.writer(sink, within, [{"a": None}]))
    )
    assert "no records" in refusal(ForeignAvro(), in_memory(lambda sink: fastavro.writer(sink, "int", [1])))


BODIES = {
    "parquet": (ForeignParquet(), in_memory(lambda sink: pq.write_table(TABLE, sink))),
    "orc": (ForeignOrc(), in_memory(lambda sink: pa_orc.write_table(TABLE.drop(["day"]), sink))),
    "avro": (ForeignAvro(), in_memory(lambda sink: fastavro.writer(sink, AVRO, [AVRO_ROW] * 10))),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("break_", ["empty", "cut", "front", "other", "bits"])
def test_broken_files_are_refused(name: str, break_: str) -> None:
    reader, body = BODIES[name]
    broken = {
        "empty": b"",
        "cut": body[:-9],
        "front": body[40:],
        "other": b"a,b\n1,2\n",
        "bits": body[: len(body) // 2] + b"\xff" * 8 + body[len(body) // 2 + 8 :],
    }[break_]
    if break_ == "bits":
        # Not every broken bit can be told; none of them may be more than a refusal or the values that are there.
        with suppress(NotReadable):
            read(reader, broken)
        return
    assert "can be read" in refusal(reader, broken)


# text


def written(rows: list[list[Any]], **options: Any) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, **options).writerows(rows)
    return text.getvalue().encode()


def column(*values: str, wanted: pa.DataType | None = None) -> pa.ChunkedArray:
    body = written([["id", "a"], *([number, value] for number, value in enumerate(values))])
    return read(foreign_csv(), body, {"a": wanted} if wanted else None).column("a")


@pytest.mark.parametrize(
    ("values", "kind", "found"),
    [
        (["1", "", "-2"], pa.int64(), [1, None, -2]),
        (["9223372036854775807"], pa.int64(), [2**63 - 1]),
        (["9223372036854775808"], pa.string(), ["9223372036854775808"]),
        (["12345678901234567", "0.5"], pa.string(), ["12345678901234567", "0.5"]),
        (["1", "2.5", "1e-3", "-.5", "NaN"], pa.float64(), None),
        (["007", "1"], pa.string(), ["007", "1"]),
        (["0", "-0"], pa.int64(), [0, 0]),
        (["0x10"], pa.string(), ["0x10"]),
        (["1_000"], pa.string(), ["1_000"]),
        ([" 1"], pa.string(), [" 1"]),
        (["true", "FALSE", ""], pa.bool_(), [True, False, None]),
        (["true", "1"], pa.string(), ["true", "1"]),
        (["2020-02-29", ""], pa.date32(), [date(2020, 2, 29), None]),
        (["2020-02-30"], pa.string(), ["2020-02-30"]),
        (["2020-02-29", "2020-02-29 23:59:59"], TIME, [datetime(2020, 2, 29, tzinfo=UTC), AT.replace(microsecond=0)]),
        (["2020-02-29T23:59:59.123456789Z"], TIME, [AT]),
        (
            ["2020-02-29T23:59:59.123456+02:00", "2020-02-29 23:59"],
            TIME,
            [AT - timedelta(hours=2), AT.replace(second=0, microsecond=0)],
        ),
        (["10:00:00"], pa.string(), ["10:00:00"]),
        (["1", "x"], pa.string(), ["1", "x"]),
        (["", ""], pa.null(), [None, None]),
    ],
    ids=str,
)
def test_types_of_text(values: list[str], kind: pa.DataType, found: list[Any] | None) -> None:
    result = column(*values)
    assert result.type == kind
    assert found is None or result.to_pylist() == found


@pytest.mark.parametrize(
    ("values", "kind", "found"),
    [
        (["007", "1"], pa.int32(), [7, 1]),
        (["007", "1"], pa.string(), ["007", "1"]),
        (["1.5", "2"], pa.decimal128(5, 2), [Decimal("1.50"), Decimal("2.00")]),
        (["1", "0", "True"], pa.bool_(), [True, False, True]),
        (["2020-02-29"], TIME, [datetime(2020, 2, 29, tzinfo=UTC)]),
        (["1"], pa.float64(), [1.0]),
        (["", ""], pa.int16(), [None, None]),
    ],
    ids=str,
)
def test_a_type_that_is_wanted_is_had(values: list[str], kind: pa.DataType, found: list[Any]) -> None:
    result = column(*values, wanted=kind)
    assert (result.type, result.to_pylist()) == (kind, found)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("x", pa.int64()),
        ("300", pa.int8()),
        ("0x10", pa.int64()),
        ("1.5", pa.int64()),
        ("1.234", pa.decimal128(5, 2)),
        ("yes", pa.bool_()),
        ("2020-13-01", pa.date32()),
        ("noon", TIME),
    ],
    ids=str,
)
def test_what_does_not_fit_is_an_error_with_column_and_row(value: str, kind: pa.DataType) -> None:
    body = written([["id", "a"], *([number, ""] for number in range(2_000)), [1, value], [2, ""]])
    with pytest.raises(NotReadable) as refused:
        read(foreign_csv(), body, {"a": kind})
    assert f"column 'a', row 2,001, a value that is no {kind}" in refused.value.what
    assert (refused.value.column, value not in refused.value.what or value == "x") == ("a", True)


def test_types_are_those_of_the_whole_file_and_not_of_its_beginning() -> None:
    rows = 2_500_000  # more than two blocks
    body = b"a,b\n" + b"1,123456789\n" * rows + b"2.5,x\n"
    found = read(foreign_csv(), body)
    assert found.schema.types == [pa.float64(), pa.string()]
    assert found.num_rows == rows + 1


def test_null_and_the_empty_text() -> None:
    found = read(foreign_csv(), b'a,b\n,1\n"",""\n"x",\n')
    assert found.to_pylist() == [{"a": None, "b": 1}, {"a": "", "b": None}, {"a": "x", "b": None}]
    assert read(foreign_csv(), b"a\n1\n\n2\n").column("a").to_pylist() == [1, None, 2]
    assert read(foreign_csv(), b"a,b\n1,2\n\n3,4\n").num_rows == 2


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_of_the_csv_module(quoting: Any, end: str) -> None:
    rows = [[1, 'say "hi",\nand go', "é\t日本"], [2, "x", "y"]]
    body = written([["id", "first text", "b"], *rows], quoting=quoting, lineterminator=end)
    assert [list(row.values()) for row in read(foreign_csv(), body).to_pylist()] == rows


def test_tsv_and_other_writers() -> None:
    flat = TABLE.slice(0, 2)
    frame = pl.from_arrow(flat)
    assert isinstance(frame, pl.DataFrame)
    expected = flat.to_pylist()
    wanted = {"exact": pa.decimal128(10, 2)}
    tab = frame.write_csv(separator="\t").encode()
    assert read(foreign_tsv(), tab, wanted).to_pylist() == expected
    arrow = in_memory(lambda sink: pa_csv.write_csv(flat, sink))
    assert read(foreign_csv(), arrow, wanted).to_pylist() == expected
    assert read(foreign_csv(), b"\xef\xbb\xbfa,b\n1,2\n").to_pylist() == [{"a": 1, "b": 2}]
    assert read(foreign_csv(), b"a,b").num_rows == read(foreign_csv(), b"a,b\n").num_rows == 0


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no header row"),
        (b"\n1,2\n", "header"),
        (b"a,\n1,2\n", "no name for column 2"),
        (b"a,a\n1,2\n", "two columns called 'a'"),
        ("Größe,b\n1,2\n".encode("latin-1"), "header row that is no UTF-8"),
        (b",".join(b"c%d" % number for number in range(60_000)) + b"\n", "more than 2,000 columns"),
        (b"a,b\n1,2\n3\n", "1 values in row 2 and 2 in its header"),
        (b"a,b\n1,2,3\n", "3 values in row 1 and 2"),
        (b'a,b\n1,"x\n2,y\n', "odd number of quotation marks"),
        (b"a,b\n1,x\n2,\xff\n", "column 'b', row 2, what is no UTF-8"),
        (b"a,b\n1," + b"x" * (40 << 20) + b"\n", "more than 16 MiB"),
        (gzip.compress(b"a,b\n1,2\n"), "is compressed"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_text_that_is_no_table(body: bytes, says: str) -> None:
    assert says in refusal(foreign_csv(), body)


def test_kinds_of_parts_make_the_kind_of_the_whole() -> None:
    for part, other, whole in (
        (Kind.INTEGER, Kind.REAL, Kind.REAL),
        (Kind.LONG, Kind.REAL, Kind.TEXT),
        (Kind.DATE, Kind.TIME, Kind.TIME),
        (Kind.DATE, Kind.INTEGER, Kind.TEXT),
        (Kind.NOTHING, Kind.DATE, Kind.DATE),
    ):
        assert wider(part, other) is wider(other, part) is whole
    assert kind_of(pa.array(["", None], pa.string())) is Kind.NOTHING


# JSON


def lines(*records: Any) -> bytes:
    return "".join(json.dumps(each) + "\n" for each in records).encode()


def test_json_lines() -> None:
    body = lines({"a": 1, "b": "x", "c": [1]}, {"b": None, "a": 2.5, "d": {"x": 1}}, {"d": {"y": "z"}}) + b"\n"
    found = read(ForeignJsonLines(), body)
    assert found.to_pylist() == [
        {"a": 1.0, "b": "x", "c": [1], "d": None},
        {"a": 2.5, "b": None, "c": None, "d": {"x": 1, "y": None}},
        {"a": None, "b": None, "c": None, "d": {"x": None, "y": "z"}},
    ]
    frame = pl.DataFrame({"a": [1, None], "b": ["é", "2020-01-01"]})
    assert read(ForeignJsonLines(), in_memory(frame.write_ndjson)).to_pylist() == frame.to_dicts()


def test_json_types_are_those_of_the_whole_file() -> None:
    records = [{"a": 1, "b": None} for _ in range(10_000)] + [{"a": 0.5, "b": [{"x": 1}]}]
    found = read(ForeignJsonLines(), lines(*records))
    assert (found.schema.field("a").type, found.num_rows) == (pa.float64(), 10_001)


def test_json_text_becomes_what_is_wanted() -> None:
    wanted = {"at": TIME, "day": pa.date32(), "exact": pa.decimal128(5, 2), "small": pa.int8()}
    body = lines({"at": "2020-02-29T23:59:59.123456Z", "day": "2020-01-01", "exact": "1.5", "small": 1})
    assert read(ForeignJsonLines(), body, wanted).to_pylist() == [
        {"at": AT, "day": date(2020, 1, 1), "exact": Decimal("1.50"), "small": 1}
    ]
    assert "column 'day', row 2" in refusal(
        ForeignJsonLines(), lines({"day": "2020-01-01"}, {"day": "noon"}), {"day": pa.date32()}
    )


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (lines({"a": 1}, {"a": "x"}), "column 'a', row 2"),
        (lines({"a": 1}, {"a": True}), "column 'a', row 2"),
        (lines(*[{"a": 1}] * 8_192, {"a": "x"}), "column 'a' int64 at first and string"),
        (lines({"a": 2**63}), "column 'a', row 1"),
        (lines({"a": 1}) + b"null\n", "no object in row 2"),
        (b"[]\n", "no object in row 1"),
        (b'{"a": 1}\n{"a": ', "no JSON in row 2"),
        (b'{"a": 1} {"a": 2}\n', "no JSON in row 1"),
        (b'{"a": 1, "a": 2}\n', "no JSON in row 1"),
        (b'{"a": "\xff"}\n', "no JSON in row 1"),
        (b'{"a": ' + b"[" * 100_000 + b"\n", "no JSON in row 1"),
        (b'{"a": "' + b"x" * (17 << 20) + b'"}\n', "more than 16 MiB"),
        (b'{"\\ud800": 1}', "no JSON in row 1"),
        (b"\n".join(b'{"k%d": 1}' % number for number in range(60_000)), "more than 2,000 columns"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_json_that_is_no_table(body: bytes, says: str) -> None:
    assert says in refusal(ForeignJsonLines(), body)


def test_json_wants_no_reading_ahead() -> None:
    """Rows come a few thousand at a time."""
    reader = ForeignJsonLines()
    file = pa.py_buffer(lines(*({"a": number} for number in range(20_000))))
    batches: Iterator[pa.RecordBatch] = reader.batches(file, reader.schema(file, lambda _name: None))
    assert [batch.num_rows for batch in batches] == [8_192, 8_192, 3_616]
