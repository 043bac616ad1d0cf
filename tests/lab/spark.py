"""Spark Connect without a JVM: Sail, in this process or in one of its own. It reads tables, and writes none of them."""

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


@contextmanager
def _a_main_with_a_file() -> Iterator[None]:
    """pytest-xdist's workers run a __main__ without file, which pyspark takes for a doctest of its own."""
    main = sys.modules["__main__"]
    if hasattr(main, "__file__"):
        yield
        return
    main.__file__ = __file__
    try:
        yield
    finally:
        del main.__file__


@contextmanager
def spark_session() -> Iterator[Any]:
    """A session with a server of its own."""
    with _a_main_with_a_file():
        yield from _session()


def _session() -> Iterator[Any]:
    with warnings.catch_warnings():
        # pyspark warns of pandas 3 at import and at every conversion; what is converted here is compared with the original.
        warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas", category=FutureWarning)
        from pysail.spark import SparkConnectServer
        from pyspark.sql.connect.session import SparkSession

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    host, port = server.listening_address
    session = SparkSession.builder.remote(f"sc://{host}:{port}").getOrCreate()
    try:
        yield session
    finally:
        session.stop()
        server.stop()


_SERVER = """
import sys
from pysail.spark import SparkConnectServer
server = SparkConnectServer("127.0.0.1", 0)
server.start(background=True)
print(server.listening_address[1], flush=True)
sys.stdin.read()
server.stop()
"""


@contextmanager
def spark_server(environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address of a server in a process of its own, which ends with the block."""
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    ) as server:
        assert server.stdout is not None
        try:
            yield f"sc://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()
