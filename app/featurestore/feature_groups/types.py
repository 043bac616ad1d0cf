"""Hive types and Arrow types, both ways. The table in docs/types.md says what is stored for what."""

import re
from collections.abc import Callable
from itertools import accumulate

import pyarrow as pa
from sqlglot import exp
from sqlglot.errors import SqlglotError

from app.featurestore.feature_groups.errors import TypeNotSupportedError
from infra.sql_text import tokens_of, trees_of, type_of

_Kind = exp.DType
TIMESTAMP = pa.timestamp("us", tz="UTC")
MAX_TYPE_LENGTH = 20_000
TYPE_NAMES = (
    "TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, DECIMAL(p,s), BOOLEAN, STRING, BINARY, DATE, TIMESTAMP, ARRAY<t>, "
    "STRUCT<name:t,…> or MAP<k,v>."
)
# What the parser forgives and no type has: something after its end, two words, other signs, a comma too many.
_TRAILING = re.compile(r"[>)]\s*[^>),\s]|\w\s+\w|[^\w\s<>(),:]|,\s*([>)]|$)|^\s*$")
# Parentheses hold the digits of a decimal and nothing else; the parser tries what is in them again and again.
_PARENTHESIS = re.compile(r"\((?!\s*\w+\s*(,\s*\w+\s*)?\))")
_FIELD_NAME = re.compile(r"[^\W\d]\w*")
MAX_DEPTH = 32

_TO_ARROW: dict[_Kind, pa.DataType] = {
    _Kind.TINYINT: pa.int8(),
    _Kind.SMALLINT: pa.int16(),
    _Kind.INT: pa.int32(),
    _Kind.BIGINT: pa.int64(),
    _Kind.FLOAT: pa.float32(),
    _Kind.DOUBLE: pa.float64(),
    _Kind.BOOLEAN: pa.bool_(),
    _Kind.TEXT: pa.string(),
    _Kind.BINARY: pa.binary(),
    _Kind.VARBINARY: pa.binary(),
    _Kind.DATE: pa.date32(),
    _Kind.TIMESTAMP: TIMESTAMP,
}

_TO_HIVE: dict[pa.DataType, str] = {
    pa.int8(): "tinyint",
    pa.uint8(): "smallint",
    pa.int16(): "smallint",
    pa.uint16(): "int",
    pa.int32(): "int",
    pa.uint32(): "bigint",
    pa.int64(): "bigint",
    pa.uint64(): "bigint",
    pa.float16(): "float",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    pa.date64(): "date",
}


def to_arrow(hive_type: str) -> pa.DataType:
    """The Arrow type stored for a Hive type; raises TypeNotSupportedError."""
    if len(hive_type) > MAX_TYPE_LENGTH:
        raise TypeNotSupportedError(f"A type of {len(hive_type)} characters is too long.")
    if _TRAILING.search(hive_type) or _PARENTHESIS.search(hive_type):
        raise _unknown(hive_type)
    if _depth(hive_type) > MAX_DEPTH:
        raise _too_deep()
    return _arrow_of(_parsed(hive_type), hive_type, MAX_DEPTH)


def _depth(hive_type: str) -> int:
    """Of its brackets, before the parser, whose work grows with the square of it."""
    return max(accumulate((sign == "<") - (sign == ">") for sign in hive_type))


def _parsed(hive_type: str) -> exp.DataType:
    try:
        # Inside a cast the parser must find the end of the type; on its own it stops wherever it likes.
        cast = _cast_to(hive_type)
        alone = type_of(hive_type, "hive")
    except (SqlglotError, RecursionError, ValueError) as error:
        raise _unknown(hive_type) from error
    if not isinstance(cast, exp.Cast) or cast.to != alone:
        raise _unknown(hive_type)
    return cast.to


def _cast_to(hive_type: str) -> exp.Expr | None:
    text = f"CAST(NULL AS {hive_type})"
    trees = trees_of(text, tokens_of(text, "hive"), "hive")
    return trees[0] if len(trees) == 1 else None


def to_hive(arrow_type: pa.DataType) -> str:
    """The Hive type inferred for an Arrow type; raises TypeNotSupportedError (a column of nulls only has none)."""
    if arrow_type in _TO_HIVE:
        return _TO_HIVE[arrow_type]
    for applies, name in _PATTERNS:
        if applies(arrow_type):
            return name(arrow_type)
    raise TypeNotSupportedError(f"There is no feature type for Arrow's {arrow_type}.")


def stored(arrow_type: pa.DataType) -> pa.DataType:
    """What is stored for a frame's type. Never by way of its text, in which a field's name may look like a type."""
    if pa.types.is_dictionary(arrow_type):
        return stored(arrow_type.value_type)
    if pa.types.is_struct(arrow_type):
        return _struct([pa.field(_written(field.name), stored(field.type)) for field in arrow_type])
    if pa.types.is_map(arrow_type):
        return pa.map_(stored(arrow_type.key_type), stored(arrow_type.item_type))
    if _is_list(arrow_type):
        return pa.list_(stored(arrow_type.value_type))
    return to_arrow(to_hive(arrow_type))


def _arrow_of(parsed: exp.DataType, text: str, depth: int) -> pa.DataType:
    if depth == 0:
        raise _too_deep()
    kind, arguments = parsed.this, parsed.expressions
    if kind is _Kind.DECIMAL:
        return _decimal(arguments, text)
    if kind is _Kind.ARRAY and len(arguments) == 1:
        return pa.list_(_arrow_of(arguments[0], text, depth - 1))
    if kind is _Kind.MAP and len(arguments) == 2:
        return pa.map_(*(_arrow_of(argument, text, depth - 1) for argument in arguments))
    if kind is _Kind.STRUCT and arguments:
        return _struct([_struct_field(argument, text, depth - 1) for argument in arguments])
    if kind in _TO_ARROW and not arguments:
        return _TO_ARROW[kind]
    raise _unknown(text)


def _decimal(arguments: list[exp.Expr], text: str) -> pa.DataType:
    # Hive's default is DECIMAL(10,0) (https://cwiki.apache.org/confluence/display/Hive/LanguageManual+Types).
    digits = [argument.name for argument in arguments]
    if len(digits) > 2 or not all(digit.isascii() and digit.isdecimal() and len(digit) <= 2 for digit in digits):
        raise _unknown(text)
    precision, scale = [*map(int, digits), *[10, 0][len(digits) :]]
    if not (1 <= precision <= 38 and 0 <= scale <= precision):
        raise _unknown(text)
    return pa.decimal128(precision, scale)


def _struct(fields: list[pa.Field]) -> pa.DataType:
    """Delta, like Hive, does not tell field names apart by case."""
    names = [field.name.lower() for field in fields]
    if len(set(names)) < len(names):
        raise TypeNotSupportedError("A struct has two fields of one name.")
    return pa.struct(fields)


def _struct_field(argument: exp.Expr, text: str, depth: int) -> pa.Field:
    if not isinstance(argument, exp.ColumnDef) or not isinstance(argument.args.get("kind"), exp.DataType):
        raise _unknown(text)
    return pa.field(argument.name, _arrow_of(argument.args["kind"], text, depth))


def _struct_name(arrow_type: pa.DataType) -> str:
    return "struct<" + ",".join(f"{_written(field.name)}:{to_hive(field.type)}" for field in arrow_type) + ">"


def _written(name: str) -> str:
    """A field's name as it stands in a type, where it would be two fields if it were `a:int,b`."""
    if not _FIELD_NAME.fullmatch(name):
        raise TypeNotSupportedError(
            f"A struct has a field {name[:80]!r}, which cannot be part of a type.",
            hint="Rename it, with letters, digits and underscores.",
        )
    return name


def _is_list(arrow_type: pa.DataType) -> bool:
    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_kind(arrow_type) for is_kind in kinds)


_PATTERNS: list[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], str]]] = [
    (lambda t: pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t), lambda _: "string"),
    (
        lambda t: (
            pa.types.is_binary(t)
            or pa.types.is_large_binary(t)
            or pa.types.is_fixed_size_binary(t)
            or pa.types.is_binary_view(t)
        ),
        lambda _: "binary",
    ),
    (pa.types.is_timestamp, lambda _: "timestamp"),
    (
        lambda t: pa.types.is_decimal(t) and t.precision <= 38 and 0 <= t.scale <= t.precision,
        lambda t: f"decimal({t.precision},{t.scale})",
    ),
    (pa.types.is_dictionary, lambda t: to_hive(t.value_type)),
    (_is_list, lambda t: f"array<{to_hive(t.value_type)}>"),
    (pa.types.is_struct, _struct_name),
    (pa.types.is_map, lambda t: f"map<{to_hive(t.key_type)},{to_hive(t.item_type)}>"),
]


def _too_deep() -> TypeNotSupportedError:
    return TypeNotSupportedError(f"Types nest {MAX_DEPTH} deep at the most.")


def _unknown(text: str) -> TypeNotSupportedError:
    return TypeNotSupportedError(
        f"{text[:120]!r} is no feature type.",
        hint=f"Use {TYPE_NAMES}",
    )
