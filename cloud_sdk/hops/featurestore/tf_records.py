"""What `tf.io.parse_single_example` must be told of TFRecords: TensorFlow's own objects where it is installed, else as plain.

Nothing here imports TensorFlow before it is asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

from hops.featurestore.errors import InvalidInputError, MissingExtraError, NotSupportedError
from hops.featurestore.extras import require
from hops.featurestore.frames import to_record_batches

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger("hops")

FIXED, VARLEN = "fixed", "varlen"


@dataclass(frozen=True)
class RecordFeature:
    """One feature of a `tf.train.Example`, for who reads them without TensorFlow.

    `kind` is "fixed" where every record has it with the same number of values, of `shape`: () for a scalar; "varlen"
    otherwise, and `why` tells the reason. `dtype` is "int64", "float32" or "string", which is bytes.
    """

    kind: str
    dtype: str
    shape: Tuple[Optional[int], ...] = ()
    why: Optional[str] = None

    @property
    def is_fixed(self) -> bool:
        return self.kind == FIXED

    def to_tensorflow(self) -> Any:
        """`tf.io.FixedLenFeature` or `tf.io.VarLenFeature`. Raises MissingExtraError without TensorFlow."""
        tf = require("tensorflow")
        dtype = getattr(tf, self.dtype)
        return tf.io.FixedLenFeature(list(self.shape), dtype) if self.is_fixed else tf.io.VarLenFeature(dtype)


def schema_of_manifest(manifest: Mapping[str, Any], name: str) -> Dict[str, Any]:
    described = manifest.get("tf_record_schema")
    if described is None:
        written = manifest.get("data_format")
        raise NotSupportedError(
            f"Training dataset {name!r} is written as {written}, and only tfrecords need a schema to be read."
            if written != "tfrecords"
            else f"Training dataset {name!r} was made before the schema of its records was kept.",
            hint='Create it with data_format="tfrecords", which is not what is written unless it is said; '
            "or read it with fs.get_training_dataset.",
        )
    return _for_tensorflow(
        {
            column: RecordFeature(each["kind"], each["dtype"], tuple(each["shape"]), each.get("why"))
            for column, each in described.items()
        }
    )


def schema_of_frame(frame: Any, *, fixed: bool) -> Dict[str, Any]:
    """Every row is looked at: a feature is fixed only if all rows have it with as many values."""
    table = to_record_batches(frame).read_all()
    unfit = [field.name for field in table.schema if _dtype(field.type) is None]
    if unfit:
        raise InvalidInputError(
            f"tfrecords has no value for the type of: {', '.join(unfit)}.",
            hint="Leave these columns out, or cast decimals to floating point.",
        )
    return _for_tensorflow({name: _feature(table.column(name), fixed=fixed) for name in table.column_names})


def _for_tensorflow(schema: Dict[str, RecordFeature]) -> Dict[str, Any]:
    varying = [f"{name} ({each.why})" for name, each in schema.items() if each.why not in (None, "fixed=False")]
    if varying:
        log.warning("Not every row has as many values of %s: read as VarLenFeature.", ", ".join(varying))
    try:
        return {name: each.to_tensorflow() for name, each in schema.items()}
    except MissingExtraError:
        return dict(schema)


def _feature(column: pa.ChunkedArray, *, fixed: bool) -> RecordFeature:
    dtype = _dtype(column.type)
    assert dtype is not None, "looked at before"
    is_list = _is_list(column.type)
    least, most = _lengths(column) if is_list else (None, None)
    why = _why_not_fixed(column, is_list, fixed, least, most)
    if why is not None:
        return RecordFeature(VARLEN, dtype, (None,), why)
    return RecordFeature(FIXED, dtype, (most,) if is_list else ())


def _why_not_fixed(
    column: pa.ChunkedArray, is_list: bool, fixed: bool, least: Optional[int], most: Optional[int]
) -> Optional[str]:
    if is_list and not fixed:
        return "fixed=False"
    if column.null_count:
        return "nulls"
    if not is_list:
        return None
    if not most:
        return "no elements" if len(column) else "no rows"
    return None if least == most else f"{least} to {most} elements"


def _lengths(column: pa.ChunkedArray) -> Tuple[Optional[int], Optional[int]]:
    compute = require("pyarrow.compute")
    ends = compute.min_max(compute.list_value_length(column))
    return ends["min"].as_py(), ends["max"].as_py()


def _dtype(kind: pa.DataType) -> Optional[str]:
    types = require("pyarrow").types
    if types.is_dictionary(kind) or _is_list(kind):
        kind = kind.value_type
    if types.is_floating(kind):
        return "float32"
    if types.is_integer(kind) or types.is_boolean(kind) or types.is_date(kind) or types.is_timestamp(kind):
        return "int64"
    texts = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary, types.is_fixed_size_binary)
    return "string" if any(is_kind(kind) for is_kind in texts) else None


def _is_list(kind: pa.DataType) -> bool:
    types = require("pyarrow").types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))
