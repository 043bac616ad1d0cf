"""The same plans in Spark's SQL, by Spark Connect without a JVM and, where it is installed, by Spark itself."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given

from app.featurestore.query.lowering import to_sql
from tests.lab.spark import spark_session
from tests.property.cases import Case
from tests.property.drawing import cases, compared
from tests.property.running import Cells, Prepared, answer_of_duckdb, brute_force, cells, expected, prepared

pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")

QUERIES: Final = 80
"""In each of the comparisons; on average there are six examples in one."""
QUERIES_OF_SPARK: Final = 15
ANY_TIME: Final = ("timestamp", "date", "bigint", None)
MOMENTS: Final = ("timestamp", "date", None)


@pytest.fixture(scope="module")
def sail() -> Iterator[Any]:
    with spark_session() as session:
        yield session


@pytest.fixture(scope="module")
def jvm() -> Iterator[Any]:
    pyspark = pytest.importorskip("pyspark")
    if not (Path(pyspark.__file__).parent / "jars").is_dir() or shutil.which("java") is None:
        pytest.skip("No Spark here: that takes java, and pyspark in the place of pyspark-client, which has no jars.")
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.shuffle.partitions", "2").config("spark.sql.session.timeZone", "UTC")
    session = builder.getOrCreate()
    yield session
    session.stop()


def answer_of_spark(spark: Any, asked: Prepared) -> Cells:
    for name, table in asked.tables.items():
        # Spark makes no frame of nothing: of one row of nulls none is taken.
        rows = table if table.num_rows else pa.Table.from_pylist([{}], table.schema)
        spark.createDataFrame(rows).limit(table.num_rows).createOrReplaceTempView(name)
    return cells(spark.sql(to_sql(asked.plan, "spark")).toArrow().cast(asked.schema))


def require_agreement(spark: Any, duck: duckdb.DuckDBPyConnection, folder: Path, case: Case) -> None:
    asked = prepared(case, folder)
    answer = answer_of_spark(spark, asked)
    assert answer == answer_of_duckdb(duck, asked)
    assert answer == expected(case, asked.plan, brute_force(case))


@compared(QUERIES)
@given(case=cases(ANY_TIME))
def test_sail_agrees(sail: Any, duck: duckdb.DuckDBPyConnection, folder: Path, case: Case) -> None:
    require_agreement(sail, duck, folder, case)


@compared(QUERIES)
@given(case=cases(MOMENTS, as_known=True))
def test_sail_agrees_on_what_was_known(sail: Any, duck: duckdb.DuckDBPyConnection, folder: Path, case: Case) -> None:
    require_agreement(sail, duck, folder, case)


@compared(QUERIES_OF_SPARK)
@given(case=cases(ANY_TIME))
def test_spark_agrees(jvm: Any, duck: duckdb.DuckDBPyConnection, folder: Path, case: Case) -> None:
    require_agreement(jvm, duck, folder, case)


@compared(QUERIES_OF_SPARK)
@given(case=cases(MOMENTS, as_known=True))
def test_spark_agrees_on_what_was_known(jvm: Any, duck: duckdb.DuckDBPyConnection, folder: Path, case: Case) -> None:
    require_agreement(jvm, duck, folder, case)
