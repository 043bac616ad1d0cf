"""A program's tables in a Spark session: temporary views of the files that the Delta log names."""

from functools import reduce
from typing import Any, Final

import pyarrow as pa

from infra.errors import InvalidInputError
from infra.ports.cluster import ClusterFailedError, ClusterTable, StagedTable
from infra.ports.engine import REMOVED_AT, WRITE_ORDER, WRITTEN_AT
from infra.ports.tables import DataFile, Snapshot

# Spark numbers the rows of a file within its partitions, which it counts in the bits above the 33rd.
_ROWS_PER_FILE: Final = 1 << 47
_MOST_FILES: Final = 1 << 16
_MOMENT: Final = pa.timestamp("us", "UTC")
_HIDDEN: Final = pa.schema([(WRITE_ORDER, pa.int64()), (WRITTEN_AT, _MOMENT), (REMOVED_AT, _MOMENT)])
# Spark takes these for patterns, and implementations do not agree about `%`.
_SIGNS: Final = frozenset("*?[]{}%\\")


class SparkViews:
    """`s3_scheme` is what the cluster calls S3."""

    def __init__(self, session: Any, s3_scheme: str) -> None:
        self._session = session
        self._s3_scheme = s3_scheme

    def create(self, name: str, table: ClusterTable) -> None:
        frame = self._staged(table) if isinstance(table, StagedTable) else self._snapshot(name, table)
        frame.createOrReplaceTempView(name)

    def require_whole(self, name: str, table: ClusterTable) -> None:
        """A Spark that may not list a folder, or was told to pass over what is missing, finds fewer rows and says nothing."""
        counts = [table.rows] if isinstance(table, StagedTable) else [file.rows for file in table.files]
        due = sum(count or 0 for count in counts)
        if None in counts or not counts:
            return
        found = self._session.table(f"`{name}`").count()
        if found != due:
            raise ClusterFailedError(
                f"The cluster finds {found:,} rows of {name!r} in the warehouse where {due:,} are due.",
                hint="Ask the operator whether the cluster may read the whole warehouse.",
            )

    def address(self, uri: str) -> str:
        """As the cluster knows the place."""
        if uri.startswith("/"):
            return f"file://{uri}"
        return f"{self._s3_scheme}://{uri.removeprefix('s3://')}"

    def _staged(self, table: StagedTable) -> Any:
        return self._session.read.schema(spark_schema(table.schema)).parquet(self.address(table.uri))

    def _snapshot(self, name: str, snapshot: Snapshot) -> Any:
        _require_readable(name, snapshot)
        frames = [self._file(snapshot.schema, number, file) for number, file in enumerate(snapshot.files)]
        return _union(frames) if frames else self._no_rows(snapshot.schema)

    def _file(self, schema: pa.Schema, number: int, file: DataFile) -> Any:
        """Its schema is told: a file lacks columns that came later, and the partition's, whose values the log has."""
        from pyspark.sql.connect import functions  # noqa: PLC0415 an extra

        stored = pa.schema([field for field in schema if field.name not in file.partition])
        frame = self._session.read.schema(spark_schema(stored)).parquet(self.address(file.uri))
        columns = [
            (
                functions.lit(file.partition[field.name])
                if field.name in file.partition
                else functions.col(_quoted(field))
            )
            .cast(spark_type(field.type))
            .alias(field.name)
            for field in schema
        ]
        order = functions.lit(number * _ROWS_PER_FILE) + functions.monotonically_increasing_id()
        times = {WRITTEN_AT: file.added_at, REMOVED_AT: file.removed_at}
        columns.append(order.alias(WRITE_ORDER))
        columns += [functions.lit(moment).cast(spark_type(_MOMENT)).alias(each) for each, moment in times.items()]
        return frame.select(*columns)

    def _no_rows(self, schema: pa.Schema) -> Any:
        return self._session.createDataFrame([], spark_schema(pa.schema([*schema, *_HIDDEN])))


def _require_readable(name: str, snapshot: Snapshot) -> None:
    if any(_SIGNS.intersection(file.uri) for file in snapshot.files):
        raise InvalidInputError(
            f"A file of {name!r} has a name with one of * ? [ ] {{ }} % \\ in it, which Spark does not take as it is.",
            hint='Such names come from values of partition columns: use engine="duckdb", or another column for partitions.',
        )
    if len(snapshot.files) > _MOST_FILES:
        raise InvalidInputError(
            f"{name!r} consists of {len(snapshot.files):,} files, more than {_MOST_FILES:,}.",
            hint="Optimize the feature group first.",
        )


def _union(frames: list[Any]) -> Any:
    """As a flat tree: thousands in a row are deeper than Spark's planner can go."""
    while len(frames) > 1:
        frames = [reduce(lambda a, b: a.unionAll(b), frames[at : at + 2]) for at in range(0, len(frames), 2)]
    return frames[0]


def _quoted(field: pa.Field) -> str:
    return f"`{str(field.name).replace('`', '``')}`"


def spark_schema(schema: pa.Schema) -> Any:
    from pyspark.sql.types import StructField, StructType  # noqa: PLC0415 an extra

    return StructType([StructField(field.name, spark_type(field.type)) for field in schema])


def spark_type(kind: pa.DataType) -> Any:
    """For the types that features can have. Timestamps have a zone in Arrow, as Spark's TimestampType has."""
    from pyspark.sql import types  # noqa: PLC0415 an extra

    if pa.types.is_decimal(kind):
        return types.DecimalType(kind.precision, kind.scale)
    if pa.types.is_timestamp(kind):
        return types.TimestampType()
    if pa.types.is_map(kind):
        return types.MapType(spark_type(kind.key_type), spark_type(kind.item_type))
    if pa.types.is_list(kind):
        return types.ArrayType(spark_type(kind.value_type))
    if pa.types.is_struct(kind):
        return types.StructType([types.StructField(field.name, spark_type(field.type)) for field in kind])
    return getattr(types, _SIMPLE[kind])()


_SIMPLE: Final = {
    pa.int8(): "ByteType",
    pa.int16(): "ShortType",
    pa.int32(): "IntegerType",
    pa.int64(): "LongType",
    pa.float32(): "FloatType",
    pa.float64(): "DoubleType",
    pa.bool_(): "BooleanType",
    pa.string(): "StringType",
    pa.binary(): "BinaryType",
    pa.date32(): "DateType",
}
