"""The narrowest type that holds what two types hold. Pure."""

from collections.abc import Callable
from typing import Final

import pyarrow as pa

_UTC_MICROSECONDS: Final = pa.timestamp("us", tz="UTC")
_MOST_DIGITS: Final = 38
_Rule = Callable[[pa.DataType, pa.DataType], pa.DataType | None]


def unified(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """None where neither could be read as the other without a guess: text and numbers, dates and times."""
    left, right = plain(left), plain(right)
    if left == right or pa.types.is_null(right):
        return left
    if pa.types.is_null(left):
        return right
    for holds, rule in _RULES:
        if holds(left) and holds(right):
            return rule(left, right)
    return None


def plain(kind: pa.DataType) -> pa.DataType:
    """Without what only says how values are laid out or annotated: dictionaries, extensions, views, large offsets."""
    if isinstance(kind, pa.BaseExtensionType):
        return plain(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return plain(kind.value_type)
    for is_kind, made in _PLAIN:
        if is_kind(kind):
            return made(kind)
    return kind


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    wide = pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
    return bool(wide or pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind))


_PLAIN: Final[list[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], pa.DataType]]]] = [
    (_is_text, lambda _: pa.string()),
    (_is_bytes, lambda _: pa.binary()),
    (pa.types.is_date64, lambda _: pa.date32()),
    (pa.types.is_float16, lambda _: pa.float32()),
    (_is_list, lambda kind: pa.list_(plain(kind.value_type))),
    (pa.types.is_map, lambda kind: pa.map_(plain(kind.key_type), plain(kind.item_type))),
    (pa.types.is_struct, lambda kind: pa.struct([pa.field(each.name, plain(each.type)) for each in kind])),
]


def _integers(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    needed = [2 * kind.bit_width if pa.types.is_unsigned_integer(kind) else kind.bit_width for kind in (left, right)]
    widths = {8: pa.int8(), 16: pa.int16(), 32: pa.int32()}
    return widths.get(max(needed), pa.int64())


def _decimals(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    scale = max(left.scale, right.scale)
    digits = max(left.precision - left.scale, right.precision - right.scale) + scale
    return pa.decimal128(digits, scale) if digits <= _MOST_DIGITS and scale >= 0 else None


def _lists(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    value = unified(left.value_type, right.value_type)
    return value and pa.list_(value)


def _maps(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    key, item = unified(left.key_type, right.key_type), unified(left.item_type, right.item_type)
    return pa.map_(key, item) if key and item else None


def _structs(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """Fields by name; those of the left first."""
    fields = {field.name: field.type for field in left}
    for field in right:
        kind = unified(fields.get(field.name, pa.null()), field.type)
        if kind is None:
            return None
        fields[field.name] = kind
    return pa.struct(fields.items())


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


_RULES: Final[list[tuple[Callable[[pa.DataType], bool], _Rule]]] = [
    (pa.types.is_integer, _integers),
    (_is_number, lambda _left, _right: pa.float64()),
    (pa.types.is_timestamp, lambda _left, _right: _UTC_MICROSECONDS),
    (pa.types.is_decimal, _decimals),
    (pa.types.is_list, _lists),
    (pa.types.is_map, _maps),
    (pa.types.is_struct, _structs),
]
