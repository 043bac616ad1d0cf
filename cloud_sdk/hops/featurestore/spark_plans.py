"""Joined features as a Spark frame: the gateway's plan, run by a Spark that reads the warehouse by itself."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Dict, List, Optional

from hops.featurestore.expressions import label_options
from hops.featurestore.extras import require
from hops.featurestore.frames import to_record_batches
from hops.featurestore.label_checks import require_units
from hops.featurestore.manifests import spark_address
from hops.featurestore.spark import active_session, frame_from_table, spark_type, union
from hops.featurestore.transport import Transport, json_request
from hops.featurestore.upload import frame_request

WRITE_ORDER, WRITTEN_AT, REMOVED_AT = "write order", "written at", "removed at"
# Spark numbers the rows of a file within its partitions, which it counts in the bits above the 33rd.
_ROWS_PER_FILE = 1 << 47


def planned_frame(
    transport: Transport, path: str, expression: Mapping[str, Any], spine: Any, event_time: Optional[str]
) -> Any:
    """A frame that no row of passes through the driver; None where the gateway wants to answer the rows itself.

    `spine` is None, the name of a feature group, or a frame. The views that the plan reads stay in the session.
    """
    session = active_session()
    plan = _plan(transport, f"{path}/spark", expression, spine, event_time)
    if plan["sql"] is None or not all(_is_readable(table) for table in plan["tables"]):
        return None
    for table in plan["tables"]:
        _rows(session, table).createOrReplaceTempView(table["name"])
    if plan["labels"] is not None:
        _label_rows(session, spine).createOrReplaceTempView(plan["labels"])
    return session.sql(plan["sql"])


def _plan(transport: Transport, path: str, expression: Mapping[str, Any], spine: Any, event_time: Optional[str]) -> Any:
    if spine is None:
        return transport.json(json_request("POST", path, expression, repeatable=True))
    if isinstance(spine, str):
        asked = {**expression, "labels": label_options(feature_group=spine, event_time=event_time)}
        return transport.json(json_request("POST", path, asked, repeatable=True))
    asked = {**expression, "labels": label_options(event_time=event_time)}
    columns = to_record_batches(spine.limit(0) if _is_spark(spine) else spine).schema.empty_table()
    require_units(expression, columns.schema, event_time)
    with frame_request(path, columns, command=asked, repeatable_by_key=False) as request:
        return transport.json(request)


def _label_rows(session: Any, spine: Any) -> Any:
    if _is_spark(spine):
        functions = require("pyspark.sql.functions")
        return spine.withColumn(WRITE_ORDER, functions.monotonically_increasing_id())
    pa = require("pyarrow")
    table = to_record_batches(spine).read_all()
    return frame_from_table(session, table.append_column(WRITE_ORDER, pa.array(range(table.num_rows), pa.int64())))


def _rows(session: Any, table: Mapping[str, Any]) -> Any:
    """The rows of all files, with the columns by which the plan knows them."""
    pa = require("pyarrow")
    schema = pa.ipc.read_schema(pa.BufferReader(base64.b64decode(table["schema"])))
    frames = [_rows_of_file(session, schema, number, file) for number, file in enumerate(table["files"])]
    return union(frames) if frames else _no_rows(session, schema)


def _rows_of_file(session: Any, schema: Any, number: int, file: Mapping[str, Any]) -> Any:
    functions, kinds, pa = require("pyspark.sql.functions"), require("pyspark.sql.types"), require("pyarrow")
    stored = [field for field in schema if field.name not in file["partition"]]
    fields = [kinds.StructField(field.name, spark_type(field.type)) for field in stored]
    frame = session.read.schema(kinds.StructType(fields)).parquet(spark_address(file["uri"]))
    columns: List[Any] = []
    for field in schema:
        value = functions.lit(file["partition"][field.name]) if field.name in file["partition"] else frame[field.name]
        columns.append(value.cast(spark_type(field.type)).alias(field.name))
    order = functions.lit(number * _ROWS_PER_FILE) + functions.monotonically_increasing_id()
    columns.append(order.alias(WRITE_ORDER))
    moment = spark_type(pa.timestamp("us", "UTC"))
    for name, key in ((WRITTEN_AT, "written_at"), (REMOVED_AT, "removed_at")):
        columns.append(functions.lit(_moment(file[key])).cast(moment).alias(name))
    return frame.select(*columns)


def _no_rows(session: Any, schema: Any) -> Any:
    pa = require("pyarrow")
    moment = pa.timestamp("us", "UTC")
    for name, kind in ((WRITE_ORDER, pa.int64()), (WRITTEN_AT, moment), (REMOVED_AT, moment)):
        schema = schema.append(pa.field(name, kind))
    return frame_from_table(session, schema.empty_table())


def _moment(text: Optional[str]) -> Optional[datetime]:
    return None if text is None else datetime.fromisoformat(text)


def _is_readable(table: Dict[str, Any]) -> bool:
    return all(spark_address(file["uri"]) is not None for file in table["files"])


def _is_spark(frame: Any) -> bool:
    return type(frame).__module__.partition(".")[0] == "pyspark"
