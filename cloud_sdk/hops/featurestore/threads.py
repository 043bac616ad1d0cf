"""Work beside the caller's own."""

from __future__ import annotations

import os
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


class Turn:
    """`with turn():` lets one thread in at a time. A forked child starts with nobody in it."""

    def __init__(self) -> None:
        self._lock, self._process = threading.Lock(), os.getpid()

    def __call__(self) -> threading.Lock:
        if os.getpid() != self._process:
            # The thread that held it at the fork does not exist in this process.
            self._lock, self._process = threading.Lock(), os.getpid()
        return self._lock
