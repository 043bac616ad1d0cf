"""Spark frames: of parts, which Spark reads itself, or of an Arrow table, which goes through the driver."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from hops.featurestore.databricks import is_databricks, notebook_name
from hops.featurestore.errors import AnswerCutError, NotSupportedError
from hops.featurestore.extras import require

if TYPE_CHECKING:
    import pyarrow as pa

    from hops.featurestore.manifests import Manifest, Part

_Partition = Tuple[Tuple[str, Optional[str]], ...]


def find_session() -> Any:
    """The active one, classic or Connect, or None; whoever has a session has imported Spark."""
    for name in ("pyspark.sql", "pyspark.sql.connect.session"):
        module = sys.modules.get(name)
        session = module.SparkSession.getActiveSession() if module is not None else None
        if session is not None:
            return session
    # Other threads than a notebook's have no active session, but its name.
    return notebook_name("spark") if is_databricks() else None


def default_session() -> Any:
    """The Spark session of a notebook or job on Databricks; None anywhere else."""
    return find_session() if is_databricks() else None


def active_session() -> Any:
    """Raises NotSupportedError where no Spark runs."""
    session = find_session()
    if session is not None:
        return session
    raise NotSupportedError(
        "There is no active Spark session to make a frame in.",
        hint='Make one with SparkSession.builder.getOrCreate(), or ask for "pandas", "polars", "pyarrow" or "reader".',
    )


def frame_from_parts(session: Any, manifest: Manifest) -> Any:
    """Executors read the files with credentials of their own; no row passes through the driver.

    Spark may read no rows where it finds no file, so they are counted, which takes the files' footers only.
    """
    by_partition: Dict[_Partition, List[Part]] = {}
    for part in manifest.parts:
        by_partition.setdefault(tuple(part.partition.items()), []).append(part)
    frames = [_frame_of_files(session, manifest, dict(key), parts) for key, parts in by_partition.items()]
    if not frames:
        return frame_from_table(session, manifest.schema.empty_table())
    frame = union(frames)
    count = frame.count()
    if count != manifest.rows:
        raise AnswerCutError(
            f"Spark finds {count} rows in the files where {manifest.rows} are due.",
            hint="May it read the warehouse? Ask for another kind of frame meanwhile.",
        )
    return frame


def frame_from_table(session: Any, table: pa.Table) -> Any:
    """With the table's types, and nulls apart from NaN. Spark before 4.0 takes no Arrow table, so there it takes longer."""
    schema = spark_schema(table.schema)
    if _takes_arrow():
        return session.createDataFrame(table, schema)
    columns = [_values(column) for column in table.columns]
    return session.createDataFrame(list(zip(*columns)), schema)


def spark_schema(schema: pa.Schema) -> Any:
    kinds = require("pyspark.sql.types")
    return kinds.StructType([kinds.StructField(field.name, spark_type(field.type)) for field in schema])


def spark_type(kind: pa.DataType) -> Any:
    """For the types that features can have. An Arrow timestamp has a zone, as Spark's TimestampType does."""
    kinds, types = require("pyspark.sql.types"), require("pyarrow").types
    if types.is_decimal(kind):
        return kinds.DecimalType(kind.precision, kind.scale)
    if types.is_list(kind) or types.is_large_list(kind):
        return kinds.ArrayType(spark_type(kind.value_type))
    if types.is_map(kind):
        return kinds.MapType(spark_type(kind.key_type), spark_type(kind.item_type))
    if types.is_struct(kind):
        fields = [kind[index] for index in range(kind.num_fields)]
        return kinds.StructType([kinds.StructField(field.name, spark_type(field.type)) for field in fields])
    name = next((name for name, applies in _simple_types(types).items() if applies(kind)), None)
    if name is None:
        raise NotSupportedError(f"Spark has no type for Arrow's {kind}.", hint='Ask for "pandas" or "pyarrow".')
    return getattr(kinds, name)()


def _simple_types(types: Any) -> Dict[str, Any]:
    return {
        "ByteType": types.is_int8,
        "ShortType": types.is_int16,
        "IntegerType": types.is_int32,
        "LongType": types.is_int64,
        "FloatType": types.is_float32,
        "DoubleType": types.is_float64,
        "BooleanType": types.is_boolean,
        "StringType": lambda kind: types.is_string(kind) or types.is_large_string(kind),
        "BinaryType": lambda kind: types.is_binary(kind) or types.is_large_binary(kind),
        "DateType": types.is_date32,
        "TimestampType": types.is_timestamp,
    }


def _frame_of_files(session: Any, manifest: Manifest, partition: Dict[str, Optional[str]], parts: List[Part]) -> Any:
    """Rows that share their partition values. Spark is given the schema: that of some file may lack columns."""
    functions, arrow = require("pyspark.sql.functions"), require("pyarrow")
    stored = arrow.schema([field for field in manifest.schema if field.name not in partition])
    frame = session.read.schema(spark_schema(stored)).parquet(*(part.spark_uri for part in parts))
    columns = []
    for field in manifest.schema:
        value = functions.lit(partition[field.name]) if field.name in partition else frame[field.name]
        columns.append(value.cast(spark_type(field.type)).alias(field.name))
    return frame.select(*columns)


def union(frames: List[Any]) -> Any:
    """As a flat tree: thousands in a row are deeper than Spark's planner can go."""
    while len(frames) > 1:
        frames = [functools.reduce(lambda a, b: a.unionAll(b), frames[at : at + 2]) for at in range(0, len(frames), 2)]
    return frames[0]


def _takes_arrow() -> bool:
    return int(require("pyspark").__version__.partition(".")[0]) >= 4


def _values(column: pa.ChunkedArray) -> List[Any]:
    return [_value(value, column.type) for value in column.to_pylist()]


def _value(value: Any, kind: pa.DataType) -> Any:
    """What Spark takes for it: maps are lists of pairs in Arrow."""
    types = require("pyarrow").types
    if value is None or not types.is_nested(kind):
        return value
    if types.is_map(kind):
        return {_value(key, kind.key_type): _value(item, kind.item_type) for key, item in value}
    if types.is_struct(kind):
        fields = [kind[index] for index in range(kind.num_fields)]
        return {field.name: _value(value[field.name], field.type) for field in fields}
    return [_value(item, kind.value_type) for item in value]
