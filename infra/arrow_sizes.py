"""How large Arrow data becomes, told before it does: a few bytes sent can stand for gigabytes.

Of compressed buffers Arrow reads a whole batch at once and tells nobody how much that will be. The numbers are in the
stream: https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc, message and
field numbers from `format/Message.fbs`.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from flatbuffers.number_types import Int64Flags, UOffsetTFlags
from flatbuffers.table import Table

_HEADER, _DATA, _BUFFERS, _COMPRESSION = 2, 1, 2, 3
_BUFFER_BYTES: Final = 16  # its offset and its length in the body
_LENGTH: Final = struct.Struct("<q")
_BATCH_BYTES: Final = 16 << 20
_MOST_ROWS: Final = 16_384
_VALUE_BYTES: Final = 8


def message_sizes(path: Path) -> Iterator[int]:
    """Bytes of each batch and each dictionary of a stream once it is unpacked, as the stream says. Unpacks nothing."""
    with pa.memory_map(str(path)) as source:
        for message in pa.ipc.MessageReader.open_stream(source):
            if message.type in {"record batch", "dictionary"}:
                yield _unpacked(message)


def viewed_bytes(array: pa.Array) -> int:
    """Bytes that views stand for: any number of them can stand for the same. 0 for what has no views.

    Arrow has no function for it: a view is sixteen bytes, the first four of which are its length.
    """
    if pa.types.is_string_view(array.type) or pa.types.is_binary_view(array.type):
        views = array.buffers()[1]
        lengths = np.frombuffer(views, np.int32)[4 * array.offset :: 4][: len(array)]
        return int(lengths.clip(min=0).sum(dtype=np.int64))
    return sum(viewed_bytes(child) for child in _children(array))


def rows_at_once(group: pq.RowGroupMetaData) -> int:
    """Rows of a Parquet file to read at a time, so that they take some megabytes, as far as the file tells the truth."""
    # Values are counted as well as bytes: the same one a million times in a list takes hardly any in the file.
    values = sum(group.column(number).num_values for number in range(group.num_columns))
    bytes_of_a_row = max(1, max(group.total_byte_size, values * _VALUE_BYTES) // max(1, group.num_rows))
    return int(max(1, min(_MOST_ROWS, _BATCH_BYTES // bytes_of_a_row)))


def _unpacked(message: pa.ipc.Message) -> int:
    root = bytearray(message.metadata)
    batch = _table(_root(root), _HEADER)
    if message.type == "dictionary":
        batch = _table(batch, _DATA)
    slot = _offset(batch, _BUFFERS)
    if slot == 0:
        return 0
    begin, compressed = batch.Vector(slot), _offset(batch, _COMPRESSION) != 0
    total = 0
    for index in range(batch.VectorLen(slot)):
        at = begin + index * _BUFFER_BYTES
        offset, length = batch.Get(Int64Flags, at), batch.Get(Int64Flags, at + 8)
        total += max(0, _buffer_size(message.body, offset, length) if compressed else length)
    return total


def _buffer_size(body: pa.Buffer, offset: int, length: int) -> int:
    """Its first eight bytes say so."""
    if length < _LENGTH.size or offset < 0 or offset + length > body.size:
        return length
    (size,) = _LENGTH.unpack(body.slice(offset, _LENGTH.size).to_pybytes())
    # -1 is for what is not compressed. Any other below zero is a lie, which must not make up for what others say.
    return length if size < 0 else int(size)


def _root(data: bytearray) -> Table:
    return Table(data, Table(data, 0).Get(UOffsetTFlags, 0))


def _table(parent: Table, field: int) -> Table:
    offset = _offset(parent, field)
    if offset == 0:
        raise pa.ArrowInvalid("A message has no content.")
    return Table(parent.Bytes, parent.Indirect(parent.Pos + offset))


def _offset(table: Table, field: int) -> int:
    """0 for a field that is not there."""
    return int(table.Offset(4 + 2 * field))


def _children(array: pa.Array) -> list[pa.Array]:
    kind = array.type
    if pa.types.is_dictionary(kind):
        return [array.dictionary]
    if pa.types.is_struct(kind):
        return [array.field(index) for index in range(kind.num_fields)]
    if pa.types.is_map(kind):
        return [array.keys, array.items]
    return [array.values] if pa.types.is_nested(kind) and hasattr(array, "values") else []
