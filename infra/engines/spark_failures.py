"""What a Spark says when it fails, in our words: its own may hold addresses, rows and the token."""

import re
from typing import Any, Final

import structlog

from infra.errors import EngineLimitError, GatewayError
from infra.ports.cluster import ClusterFailedError, ClusterUnreachableError

_CONDITION: Final = re.compile(r"[A-Z][A-Z0-9_]*(\.[A-Z0-9_]+)*")
_LONGEST: Final = 2_000
_RETRY_AFTER: Final = 30
_ABSENT: Final = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"})
_REFUSED: Final = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})
_TOKEN: Final = re.compile(r"(token=|bearer\s+)[^\s;&\"']+", re.IGNORECASE)
_log = structlog.get_logger(__name__)


def translated(error: Exception) -> GatewayError:
    """Not to be chained: the cluster's own text goes to the log, without what may be a token."""
    status, condition = _status(error), _condition(error)
    said = _TOKEN.sub(r"\1***", str(error)[:_LONGEST])
    _log.warning("cluster failed", error=type(error).__name__, status=status, condition=condition, said=said)
    if status in _ABSENT:
        return ClusterUnreachableError(
            "The cluster that joins features does not answer.",
            hint='Try again later, or use engine="duckdb".',
            retry_after=_RETRY_AFTER,
        )
    if status in _REFUSED:
        return ClusterFailedError(
            "The cluster refused the gateway.", hint="Ask the operator to look at the token in OAST_SPARK__REMOTE."
        )
    return ClusterFailedError(
        f"The cluster did not join the features: {condition or type(error).__name__}.",
        hint="The gateway's log and the cluster's say more. What fits one machine can be made with engine=\"duckdb\".",
    )


def too_late(seconds: float) -> EngineLimitError:
    return EngineLimitError(
        f"The cluster was stopped after {seconds:,.0f} s.",
        hint="Ask for fewer rows or columns, for a larger cluster, or for a higher OAST_SPARK__DEADLINE_SECONDS.",
    )


def refused(error: Exception) -> bool:
    """Whether the cluster answered, and said no."""
    return _is_of_spark(error) and _status(error) not in _ABSENT | _REFUSED


def _is_of_spark(error: Exception) -> bool:
    from pyspark.errors import PySparkException  # noqa: PLC0415 an extra

    return isinstance(error, PySparkException)


def _status(error: Any) -> str:
    """gRPC's, by name; empty where none is known. Before pyspark has met it, the error is gRPC's own."""
    code = getattr(error, "getGrpcStatusCode", getattr(error, "code", None))
    status = code() if callable(code) else None
    return str(getattr(status, "name", ""))


def _condition(error: Any) -> str:
    """Spark's name for what went wrong, such as `DIVIDE_BY_ZERO`; others than such names are none of ours to repeat."""
    name = error.getCondition() if hasattr(error, "getCondition") else None
    return name if isinstance(name, str) and _CONDITION.fullmatch(name) else ""
