"""Blocks of an Avro file, unpacked one at a time and never beyond a bound.

fastavro would unpack whatever a block becomes, a thousandfold of what the file has, and needs packages for Snappy and
Zstandard, which Arrow brings along.
"""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final, Protocol

import fastavro
import pyarrow as pa

from infra.ports.imports import NotReadable

BLOCK_BYTES: Final = 512 << 20  # Polars writes a whole frame as one
_XZ_MEMORY: Final = 256 << 20
_LONG_BITS: Final = 64
_CODEC: Final = "avro.codec"
_HEADER: Final[dict[str, Any]] = {
    "type": "record",
    "name": "header",
    "fields": [
        {"name": "magic", "type": {"type": "fixed", "name": "magic", "size": 4}},
        {"name": "meta", "type": {"type": "map", "values": "bytes"}},
        {"name": "sync", "type": {"type": "fixed", "name": "sync", "size": 16}},
    ],
}


class UnpackedAvro(io.RawIOBase):
    """The same file as one without a codec, for reading from its start to its end. `given` bytes were read of it."""

    def __init__(self, file: pa.Buffer) -> None:
        self._parts = _parts(io.BufferedReader(pa.BufferReader(file)))
        self._rest = memoryview(b"")
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = memoryview(next(self._parts, b""))
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        self.given += size
        return size


def _parts(source: BinaryIO) -> Iterator[bytes]:
    """The header, then block by block. Raises NotReadable, and whatever broken bytes lead to."""
    header: Any = fastavro.schemaless_reader(source, _HEADER, None)
    codec = header["meta"].get(_CODEC, b"null").decode()
    unpack = _UNPACKED.get(codec)
    if unpack is None:
        raise NotReadable(
            f"is packed with {codec[:20]!r}, which is not read.", hint=f"Write it with one of {', '.join(_UNPACKED)}."
        )
    plain = io.BytesIO()
    fastavro.schemaless_writer(plain, _HEADER, {**header, "meta": {**header["meta"], _CODEC: b"null"}})
    yield plain.getvalue()
    while (records := _long(source)) is not None:
        size = _long(source)
        if size is None:
            raise _cut()
        data = unpack(_exactly(source, _bounded(size)))
        yield _encoded(records) + _encoded(_bounded(len(data)))
        yield data
        yield _exactly(source, 16)


def _cut() -> NotReadable:
    # Not EOFError, which fastavro takes for the end of all rows.
    return NotReadable("is no Avro file that can be read: a block does not end.", hint="It may be cut.")


def _bounded(size: int) -> int:
    if size > BLOCK_BYTES:
        raise NotReadable(
            f"has a block of more than {BLOCK_BYTES >> 20} MiB.", hint="Write it with a smaller interval between marks."
        )
    return size


def _exactly(source: BinaryIO, size: int) -> bytes:
    data = source.read(size) if size >= 0 else b""
    if len(data) != size:
        raise _cut()
    return data


def _long(source: BinaryIO) -> int | None:
    """A number as Avro writes it, seven bits to the byte and zigzag; None at the end of the file."""
    found = 0
    for shift in range(0, _LONG_BITS, 7):
        byte = source.read(1)
        if not byte:
            if shift:
                raise _cut()
            return None
        found |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return (found >> 1) ^ -(found & 1)
    raise ValueError("a number that does not end")


def _encoded(number: int) -> bytes:
    left = (number << 1) ^ (number >> (_LONG_BITS - 1))
    encoded = bytearray()
    while left >= 0x80:
        encoded.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*encoded, left])


class _Unpacker(Protocol):
    """What the standard library's three have in common."""

    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def _by(unpacker: Callable[[], _Unpacker]) -> Callable[[bytes], bytes]:
    def unpack(data: bytes) -> bytes:
        made = unpacker()
        found = made.decompress(data, BLOCK_BYTES + 1)
        if len(found) <= BLOCK_BYTES and not made.eof:
            raise _cut()
        return found

    return unpack


def _zstandard(data: bytes) -> bytes:
    with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
        return bytes(stream.read(BLOCK_BYTES + 1))


def _snappy(data: bytes) -> bytes:
    """Its length stands first, as a number without zigzag, and behind it a sum to check by."""
    packed, told = data[:-4], data[-4:]
    length = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(_leading(packed)))
    found = pa.Codec("snappy").decompress(packed, _bounded(length), asbytes=True)
    if zlib.crc32(found).to_bytes(4, "big") != told:
        raise ValueError("another sum")
    return bytes(found)


def _leading(packed: bytes) -> bytes:
    """The bytes of the number at the start."""
    return packed[: next((place for place, byte in enumerate(packed[:5]) if byte < 0x80), 4) + 1]


_UNPACKED: Final[dict[str, Callable[[bytes], bytes]]] = {
    "null": lambda data: data,
    "deflate": _by(lambda: zlib.decompressobj(-15)),
    "snappy": _snappy,
    "zstandard": _zstandard,
    "bzip2": _by(bz2.BZ2Decompressor),
    "xz": _by(lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY)),
}
