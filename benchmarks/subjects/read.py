"""Reading a whole feature group, against pyarrow reading the very files that hold it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pyarrow.parquet as pq

from benchmarks.frames import FEATURES, make_frame, require_same_rows
from benchmarks.gateway import running_gateway
from benchmarks.measuring import Comparison, Contender, Options, Outcome, compare

_GROUP = "read"


def measure(options: Options) -> list[Outcome]:
    table = make_frame(options.rows)

    def check(received: Any) -> None:
        require_same_rows(received, table)

    with running_gateway() as gateway:
        connection = gateway.connect()
        connection.create_featuregroup(table, _GROUP, "customer_id", schema=FEATURES)
        files = [str(file) for file in gateway.warehouse.rglob("*.parquet")]
        gateway.restart()
        baselines: dict[str, Callable[[], Any]] = {
            "pyarrow": lambda: pq.read_table(files),
            "pandas": lambda: pq.read_table(files).to_pandas(),
        }
        comparisons = [
            Comparison(
                f"read to {container}",
                Contender("read_table", direct, check),
                Contender(
                    "gateway", partial(connection.get_featuregroup, _GROUP, as_=container), check, gateway=gateway
                ),
            )
            for container, direct in baselines.items()
        ]
        return compare(comparisons, options.repetitions)
