"""Spark behind its Connect protocol. The client is an optional extra and takes seconds to import: it is, on first use."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, Final

import structlog

from infra.crypto import SecretValue
from infra.engines.spark_failures import refused, too_late, translated
from infra.engines.spark_views import SparkViews
from infra.errors import GatewayError
from infra.ports.cluster import ClusterFailedError, ClusterProgram

_PROBE_SECONDS: Final = 20.0
# How long an interrupted operation may take to say so, before its connection is cut.
_GRACE_SECONDS: Final = 10.0
_UTC: Final = ("spark.sql.session.timeZone", "UTC")
_CONFIGURATION: Final = {
    # What overflows or cannot be cast is an error, as it is for the built-in engine, and no null.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "true",
    # INT96, which older ones write, cannot be told from a time without zone.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # Days before 1582 are those of the Gregorian calendar, in every file of ours.
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.writeLegacyFormat": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
    "spark.sql.files.ignoreCorruptFiles": "false",
    # Databricks' own leaves files of failed tasks where only a reader of its kind knows them.
    "spark.sql.sources.commitProtocolClass": "org.apache.spark.sql.execution.datasources.SQLHadoopMapReduceCommitProtocol",
}
_importing = threading.Lock()
_log = structlog.get_logger(__name__)


class SparkConnectCluster:
    """Implements `infra.ports.cluster.Cluster`. `remote` is `sc://host:port/;token=…`, and `s3_scheme` `s3` or `s3a`."""

    def __init__(self, remote: SecretValue, *, s3_scheme: str, deadline_seconds: float) -> None:
        self._remote = remote
        self._s3_scheme = s3_scheme
        self._deadline_seconds = deadline_seconds

    def version(self) -> str:
        with self._session(_PROBE_SECONDS) as session:
            return str(session.version)

    def materialise(self, program: ClusterProgram, target_uri: str) -> None:
        with self._session(self._deadline_seconds) as session:
            _configure(session)
            views = SparkViews(session, self._s3_scheme)
            for name, table in program.tables.items():
                views.create(name, table)
                views.require_whole(name, table)
            session.sql(program.sql).write.mode("error").parquet(views.address(target_uri))

    @contextmanager
    def _session(self, seconds: float) -> Iterator[Any]:
        """A session of its own, which ends with the block or when its time is over, with all that it has begun."""
        connect = _client()
        try:
            session = connect.SparkSession(self._remote.reveal())
        except Exception as error:  # noqa: BLE001 whatever is wrong with the address, it may repeat the token
            _log.error("remote of the cluster not valid", error=type(error).__name__)
            raise ClusterFailedError(
                "The gateway cannot use the address of its cluster.",
                hint="Ask the operator to mend OAST_SPARK__REMOTE.",
            ) from None
        watch = _Watch(session, seconds)
        try:
            yield _reached(session)
        except GatewayError:
            watch.interrupt()
            raise
        except Exception as error:  # noqa: BLE001 what pyspark, gRPC and Arrow raise has no common root
            watch.interrupt()
            raise too_late(seconds) if watch.is_over else translated(error) from None
        except BaseException:  # the process is asked to end
            watch.interrupt()
            raise
        finally:
            watch.cancel()
            _stop(session)


class _Watch:
    """Ends what the session does when its time is over: by asking first, and then by cutting the connection."""

    def __init__(self, session: Any, seconds: float) -> None:
        self.is_over = False
        self._session = session
        self._timers = [threading.Timer(seconds, self._end), threading.Timer(seconds + _GRACE_SECONDS, self._cut)]
        for timer in self._timers:
            timer.daemon = True
            timer.start()

    def interrupt(self) -> None:
        # As good as it goes: it may be the cluster's silence that ended the block.
        with suppress(Exception):
            self._session.interruptAll()

    def cancel(self) -> None:
        for timer in self._timers:
            timer.cancel()

    def _end(self) -> None:
        self.is_over = True
        self.interrupt()

    def _cut(self) -> None:
        with suppress(Exception):
            self._session.client.close()


def _reached(session: Any) -> Any:
    """By itself the client tries for ten minutes; whoever waits here is told earlier, and the queue tries again."""
    from pyspark.sql.connect.client.retries import DefaultPolicy  # noqa: PLC0415 an extra

    session.client.set_retry_policies([DefaultPolicy(max_retries=2, initial_backoff=200)])
    _ = session.version
    # What is under way is worth more patience: about a minute.
    session.client.set_retry_policies([DefaultPolicy(max_retries=8, max_backoff=15_000)])
    return session


def _configure(session: Any) -> None:
    session.conf.set(*_UTC)  # without which texts would be read as other times
    for name, value in _CONFIGURATION.items():
        try:
            session.conf.set(name, value)
        except Exception as error:  # some clusters leave their users few settings, and their defaults are these
            if not refused(error):
                raise
            _log.info("setting not taken by the cluster", setting=name)


def _stop(session: Any) -> None:
    from pyspark.sql.connect.client.retries import DefaultPolicy  # noqa: PLC0415 an extra

    with suppress(Exception):  # a session that nobody ends is ended by the cluster
        session.client.set_retry_policies([DefaultPolicy(max_retries=1, initial_backoff=100)])
        session.stop()


def _client() -> ModuleType:
    with _importing, _a_main_with_a_file():
        try:
            import pyspark.sql.connect.session as connect  # noqa: PLC0415 an extra
        except ImportError as error:
            raise ClusterFailedError(
                "The gateway has no client for Spark.", hint="Ask the operator to install `oasthouse[spark]`."
            ) from error
    return connect


@contextmanager
def _a_main_with_a_file() -> Iterator[None]:
    """Processes that were forked from a server have a __main__ without file, which pyspark takes for a doctest of its own."""
    main = sys.modules["__main__"]
    if hasattr(main, "__file__"):
        yield
        return
    main.__file__ = __file__
    try:
        yield
    finally:
        del main.__file__
