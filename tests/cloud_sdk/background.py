"""A gateway's queue, worked off beside the test that waits for it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.world import World


@contextmanager
def working(world: World) -> Iterator[None]:
    """Somebody does what waits in the queue until the block is left; what goes wrong there is raised here."""
    over, failures = threading.Event(), []

    def work() -> None:
        try:
            while not over.wait(0.05):
                world.work()
        except BaseException as error:  # noqa: BLE001 told to the test
            failures.append(error)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join(30)
    if failures:
        raise failures[0]
