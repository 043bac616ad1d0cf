"""Work beside the caller's own."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Callable, TypeVar

_T = TypeVar("_T")


def in_a_thread(work: Callable[[], _T]) -> Future[_T]:
    """A thread of its own, which unlike a pool's never keeps the interpreter from ending."""
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 raised where the result is waited for
            future.set_exception(error)

    threading.Thread(target=run, name="oasthouse parts", daemon=True).start()
    return future
