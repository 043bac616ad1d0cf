"""Reading a whole feature group as a stream, over and over, until the file `stop` appears."""

import logging
from pathlib import Path

from benchmarks.ways import Answered, Task, Way
from benchmarks.ways.sdk import connect
from hops.featurestore.errors import UnavailableError


class _Refusals(logging.Handler):
    """Counts how often the SDK was told to come again later."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += "Trying again" in record.getMessage()


def prepare(task: Task) -> Way:
    connection, stop, refusals = connect(task), Path(task["stop"]), _Refusals()
    connection._session.transport.takes_parts = False  # noqa: SLF001 a stream, as of what the gateway computes
    logger = logging.getLogger("hops")
    logger.addHandler(refusals)
    logger.propagate = False

    def run() -> Answered:
        rows = reads = given_up = 0
        while not stop.exists():
            try:
                with connection.get_featuregroup(task["group"], as_="reader") as batches:
                    for batch in batches:
                        rows += batch.num_rows
                        if stop.exists():
                            break
                    else:
                        reads += 1
            except UnavailableError:
                given_up += 1
        return Answered(rows, counts={"reads": reads, "refused": refusals.count, "given up": given_up})

    return run
