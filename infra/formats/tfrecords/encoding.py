"""A batch of rows as TFRecords of `tf.train.Example`, all rows at once and without protobuf.

Framing: https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details. Message: tensorflow's
`core/example/example.proto` and `feature.proto`. Every length is known before a byte is written, so the bytes of a batch are
one array, into which each column is put for all rows in turn. protobuf would go through Python for each value.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import google_crc32c
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infra.formats.tfrecords.columns import Bytes, FeatureValues, Integers, Kind, Texts, feature_values, starts_of

_FIRST: Final = 0x0A  # field 1, followed by its length; the same for field 2 is 0x12, for field 3 0x1A
_LENGTH_BYTES: Final = 8
_CRC_BYTES: Final = 4
_HEADER: Final = _LENGTH_BYTES + _CRC_BYTES
_MASK_DELTA: Final = 0xA282EAD8


@dataclass(frozen=True)
class _Field:
    """One column's share of the examples: lengths in bytes, each from the inside out, of the rows that have a value."""

    name: bytes
    values: FeatureValues
    elements: Integers  # of each element, its tag and length included where it has them
    packed: Integers
    listed: Integers
    feature: Integers
    entry: Integers


def encode(batch: pa.RecordBatch, schema: pa.Schema) -> bytes:
    """The records of all rows, one after the other."""
    fields = [_field(name, batch.column(name)) for name in schema.names]
    features = np.zeros(batch.num_rows, np.int64)
    for field in fields:
        features[field.values.rows] += 1 + varint_size(field.entry) + field.entry
    examples = 1 + varint_size(features) + features
    records = starts_of(_HEADER + examples + _CRC_BYTES)
    out = np.empty(int(records[-1]), np.uint8)
    at = records[:-1] + _HEADER
    _put_length(out, at, _FIRST, features)
    for field in fields:
        rows = field.values.rows
        positions = at[rows]
        _put_entry(out, positions, field)
        at[rows] = positions
    return _framed(out, records, examples)


def masked_crc(data: bytes) -> int:
    """CRC-32C, turned and moved so that a checksum of data that holds checksums is none itself."""
    return int(_masked([google_crc32c.value(data)])[0])


def _masked(crcs: Sequence[int]) -> npt.NDArray[np.uint32]:
    crc = np.array(crcs, np.uint32)
    turned: npt.NDArray[np.uint32] = (crc >> np.uint32(15)) | (crc << np.uint32(17))
    return turned + np.uint32(_MASK_DELTA)


def varint_size(numbers: Integers) -> Integers:
    """Bytes of each number as a protobuf varint; a negative one has ten."""
    bits = numbers.view(np.uint64)
    size = np.ones(len(numbers), np.int64)
    for seven in range(1, _varint_bytes(int(bits.max(initial=0)))):
        size += bits >= np.uint64(1 << 7 * seven)
    return size


def _varint_bytes(number: int) -> int:
    return max(1, -(-number.bit_length() // 7))


def _field(name: str, column: pa.Array) -> _Field:
    values = feature_values(name, column)
    elements = _element_sizes(values)
    before = starts_of(elements)
    packed = before[values.starts[1:]] - before[values.starts[:-1]]
    listed = packed
    if values.kind is not Kind.BYTES:  # numbers stand together in one field, bytes have one each
        listed = np.where(packed == 0, 0, 1 + varint_size(packed) + packed)
    feature = 1 + varint_size(listed) + listed
    encoded = name.encode()
    key = 1 + int(varint_size(np.array([len(encoded)]))[0]) + len(encoded)
    return _Field(encoded, values, elements, packed, listed, feature, key + 1 + varint_size(feature) + feature)


def _element_sizes(values: FeatureValues) -> Integers:
    match values.kind:
        case Kind.FLOAT:
            return np.full(len(_numbers(values)), 4, np.int64)
        case Kind.INT64:
            return varint_size(_numbers(values))
        case Kind.BYTES:
            lengths = np.diff(_elements_of(values).starts)
            return 1 + varint_size(lengths) + lengths


def _put_entry(out: Bytes, at: Integers, field: _Field) -> None:
    """Moves `at` behind what it writes."""
    _put_length(out, at, _FIRST, field.entry)
    _put_length(out, at, _FIRST, np.full(len(at), len(field.name), np.int64))
    _put_same(out, at, field.name)
    _put_length(out, at, 0x12, field.feature)
    _put_length(out, at, field.values.kind.value << 3 | 2, field.listed)
    if field.values.kind is not Kind.BYTES:
        filled = field.packed > 0
        inner = at[filled]
        _put_length(out, inner, _FIRST, field.packed[filled])
        at[filled] = inner
    before = starts_of(field.elements)[:-1]
    first = field.values.starts[:-1]
    counts = np.diff(field.values.starts)
    shift = at - np.append(before, 0)[first] if len(before) else at
    positions = np.repeat(shift, counts) + before
    _put_elements(out, positions, field.values)
    at += field.packed


def _put_elements(out: Bytes, at: Integers, values: FeatureValues) -> None:
    match values.kind:
        case Kind.FLOAT:
            floats = np.ascontiguousarray(_numbers(values), "<f4")
            out[at[:, None] + np.arange(4)] = floats.view(np.uint8).reshape(-1, 4)
        case Kind.INT64:
            _put_varints(out, at, _numbers(values))
        case Kind.BYTES:
            texts = _elements_of(values)
            lengths = np.diff(texts.starts)
            _put_length(out, at, _FIRST, lengths)
            source = np.arange(texts.starts[0], texts.starts[-1])
            out[np.repeat(at - texts.starts[:-1], lengths) + source] = texts.data[source]


def _put_length(out: Bytes, at: Integers, tag: int, lengths: Integers) -> None:
    out[at] = tag
    at += 1
    _put_varints(out, at, lengths)


def _put_same(out: Bytes, at: Integers, data: bytes) -> None:
    out[at[:, None] + np.arange(len(data))] = np.frombuffer(data, np.uint8)
    at += len(data)


def _put_varints(out: Bytes, at: Integers, numbers: Integers) -> None:
    bits = np.ascontiguousarray(numbers).view(np.uint64)
    longest = _varint_bytes(int(bits.max(initial=0)))
    if longest == 1:
        out[at] = bits
        at += 1
        return
    sizes = varint_size(numbers)
    for seven in range(longest):
        longer = np.flatnonzero(sizes > seven)
        septet = (bits[longer] >> np.uint64(7 * seven)).astype(np.uint8) & np.uint8(0x7F)
        more = (sizes[longer] > seven + 1).astype(np.uint8) << np.uint8(7)
        out[at[longer] + seven] = septet | more
    at += sizes


def _framed(out: Bytes, records: Integers, lengths: Integers) -> bytes:
    """With the length before and the checksums beside each example."""
    heads = np.ascontiguousarray(lengths, "<u8").view(np.uint8).reshape(-1, _LENGTH_BYTES)
    out[records[:-1, None] + np.arange(_LENGTH_BYTES)] = heads
    different, which = np.unique(lengths, return_inverse=True)
    crcs = _masked([google_crc32c.value(struct.pack("<Q", length)) for length in different.tolist()])
    _put_crcs(out, records[:-1] + _LENGTH_BYTES, crcs[which])
    data = out.tobytes()
    ends = records[1:] - _CRC_BYTES
    spans = zip((records[:-1] + _HEADER).tolist(), ends.tolist(), strict=True)
    checksum = google_crc32c.value
    _put_crcs(out, ends, _masked([checksum(data[begin:end]) for begin, end in spans]))
    return out.tobytes()


def _put_crcs(out: Bytes, at: Integers, crcs: npt.NDArray[np.uint32]) -> None:
    out[at[:, None] + np.arange(_CRC_BYTES)] = crcs.astype("<u4").view(np.uint8).reshape(-1, _CRC_BYTES)


def _numbers(values: FeatureValues) -> npt.NDArray[Any]:
    assert not isinstance(values.values, Texts)
    return values.values


def _elements_of(values: FeatureValues) -> Texts:
    assert isinstance(values.values, Texts)
    return values.values
