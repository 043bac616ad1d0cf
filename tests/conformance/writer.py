"""A writer in a process of its own: `python -m tests.conformance.writer <json>`; prints one line per answered write."""

import json
import os
import signal
import sys
from pathlib import Path

from infra.storage.location import S3Options, parse_warehouse
from infra.tables.delta import DeltaTableStore
from tests.conformance.stores import append, rows_of


def main(order: dict[str, object]) -> None:
    s3 = order["s3"]
    warehouse = parse_warehouse(str(order["url"]), S3Options(**s3) if isinstance(s3, dict) else None)
    store = DeltaTableStore(warehouse)
    ids = order["ids"]
    assert isinstance(ids, list)
    for number in ids:
        commit = store.write(str(order["location"]), append(rows_of((number, "process", 1.0)), f"request-{number}"))
        if order["die"]:
            # Committed and not answered: the case that a retry must not double.
            os.kill(os.getpid(), signal.SIGKILL)
        print(json.dumps([number, commit.version]), flush=True)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
