"""How large Arrow data becomes, against what it became."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from infra.arrow_sizes import message_sizes, viewed_bytes

BATCH = pa.record_batch(
    {
        "zeros": pa.array([0] * 100_000),
        "texts": pa.array(["a", None] * 50_000),
        "codes": pa.array(["a"] * 100_000).dictionary_encode(),
        "views": pa.array(["abc" * 5] * 100_000, pa.string_view()),
        "lists": pa.array([[1, 2], None] * 50_000),
    }
)


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_batches_are_as_large_as_they_say(tmp_path: Path, compression: Any) -> None:
    path, options = tmp_path / "frame", pa.ipc.IpcWriteOptions(compression=compression)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, BATCH.schema, options=options) as writer:
        writer.write(BATCH)
        writer.write(BATCH.slice(0, 10))
        writer.write(BATCH.slice(0, 0))
    codes, whole, *rest = message_sizes(path)
    assert codes == 9  # two offsets and a letter
    assert abs(whole + codes - BATCH.nbytes) < 1_000  # all nulls' bits or none, padding
    assert len(rest) == 2
    assert path.stat().st_size < whole or compression is None


def test_a_size_below_nothing_makes_up_for_no_other(tmp_path: Path) -> None:
    """Whoever lies about one buffer could otherwise hide another of any size."""
    zeros = pa.array([0] * 100_000)
    sink, options = pa.BufferOutputStream(), pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, pa.schema([("a", pa.int64()), ("b", pa.int64())]), options=options) as writer:
        writer.write(pa.record_batch([zeros, zeros], ["a", "b"]))
    honest, data = (800_000).to_bytes(8, "little"), sink.getvalue().to_pybytes()
    assert data.count(honest) == 2
    (tmp_path / "frame").write_bytes(data.replace(honest, (-800_000).to_bytes(8, "little", signed=True), 1))
    (size,) = message_sizes(tmp_path / "frame")
    assert 800_000 <= size < 810_000


def test_a_message_without_content_is_refused(tmp_path: Path) -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.schema([("a", pa.int64())])) as writer:
        writer.write(pa.record_batch([[1]], ["a"]))
    data = bytearray(sink.getvalue().to_pybytes())
    # Of the second message, the field of its table of fields that says where the content is.
    second = data.index(b"\xff\xff\xff\xff", 4) + 8
    table = second + int.from_bytes(data[second : second + 4], "little")
    fields = table - int.from_bytes(data[table : table + 4], "little", signed=True)
    data[fields + 8 : fields + 10] = b"\0\0"
    (tmp_path / "frame").write_bytes(data)
    with pytest.raises(pa.ArrowException):
        list(message_sizes(tmp_path / "frame"))


def test_a_stream_without_columns_has_no_size(tmp_path: Path) -> None:
    path, batch = tmp_path / "frame", pa.record_batch([], schema=pa.schema([]))
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write(batch)
    assert list(message_sizes(path)) == [0]


VIEWS = pa.array(["long enough for a view", None, "short", ""], pa.string_view())


@pytest.mark.parametrize(
    ("array", "size"),
    [
        (VIEWS, 27),
        (VIEWS.slice(1), 5),
        (VIEWS.slice(1, 1), 0),
        (pa.array([b"xyz"], pa.binary_view()), 3),
        (pa.array([["ab", "c"], None], pa.list_(pa.string_view())), 3),
        (pa.array([{"a": "ab"}], pa.struct([("a", pa.string_view())])), 2),
        (pa.array([[("k", "ab")]], pa.map_(pa.string_view(), pa.string_view())), 3),
        (pa.array(["ab"]), 0),
        (pa.array([["ab"]]), 0),
        (pa.array(["ab", "ab"]).dictionary_encode(), 0),
    ],
)
def test_views_stand_for_what_they_show(array: pa.Array, size: int) -> None:
    assert viewed_bytes(array) == size
