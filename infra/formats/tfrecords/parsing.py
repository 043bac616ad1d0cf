"""Reads TFRecords of `tf.train.Example` with protobuf, checksums compared."""

import struct
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from infra.errors import FrameInvalidError
from infra.formats.tfrecords.encoding import masked_crc

_LONGEST: Final = 1 << 31
_PACKAGE: Final = "oasthouse"
# Names and numbers as in tensorflow's core/example; the generated module would bring TensorFlow.
_LISTS: Final = {
    "BytesList": FieldDescriptorProto.TYPE_BYTES,
    "FloatList": FieldDescriptorProto.TYPE_FLOAT,
    "Int64List": FieldDescriptorProto.TYPE_INT64,
}


def read_examples(source: BinaryIO) -> Iterator[dict[str, list[Any]]]:
    """The features of one example after the other. Raises FrameInvalidError for anything else."""
    for record in _records(source):
        example = EXAMPLE()
        try:
            example.ParseFromString(record)
        except DecodeError as error:
            raise FrameInvalidError("A record is no tf.train.Example.") from error
        yield _features(example.features.feature)


def _records(source: BinaryIO) -> Iterator[bytes]:
    while head := source.read(12):
        if len(head) < 12 or masked_crc(head[:8]) != struct.unpack("<I", head[8:])[0]:
            raise FrameInvalidError("This is no TFRecord file: the length of a record does not have its checksum.")
        (length,) = struct.unpack("<Q", head[:8])
        if length > _LONGEST:
            raise FrameInvalidError(f"A record has {length} bytes; the longest that is read has {_LONGEST}.")
        body = source.read(length + 4)
        if len(body) < length + 4 or masked_crc(body[:length]) != struct.unpack("<I", body[length:])[0]:
            raise FrameInvalidError("The TFRecord file is cut or was changed: a record does not have its checksum.")
        yield body[:length]


def _features(features: Mapping[str, Any]) -> dict[str, list[Any]]:
    found = {}
    for name, feature in features.items():
        kind = feature.WhichOneof("kind")
        found[name] = list(getattr(feature, kind).value) if kind else []
    return found


def _example_class() -> type[Any]:
    file = FileDescriptorProto(name="oasthouse/example.proto", package=_PACKAGE, syntax="proto3")
    for name, kind in _LISTS.items():
        _add_field(file.message_type.add(name=name), "value", 1, kind, repeated=True)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(_LISTS, start=1):
        field = _add_field(feature, f"{name.lower()[:-4]}_list", number, message_type=name)
        field.oneof_index = 0
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    _add_field(entry, "key", 1, FieldDescriptorProto.TYPE_STRING)
    _add_field(entry, "value", 2, message_type="Feature")
    _add_field(features, "feature", 1, message_type="Features.FeatureEntry", repeated=True)
    _add_field(file.message_type.add(name="Example"), "features", 1, message_type="Features")
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Example"))


def _add_field(
    message: DescriptorProto,
    name: str,
    number: int,
    kind: "FieldDescriptorProto.Type.ValueType" = FieldDescriptorProto.TYPE_MESSAGE,
    *,
    message_type: str | None = None,
    repeated: bool = False,
) -> FieldDescriptorProto:
    label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, type=kind, label=label)
    if message_type is not None:
        field.type_name = f".{_PACKAGE}.{message_type}"
    return field


EXAMPLE: Final = _example_class()
