"""What goes wrong in a query's process, told so that the gateway can raise it and a user may read it."""

import re
from collections.abc import Mapping
from typing import Any, Final

from infra.engines.protocol import Job
from infra.errors import (
    EngineLimitError,
    GatewayError,
    InvalidInputError,
    QueryInvalidError,
    QueryRefusedError,
    StorageUnavailableError,
    UnavailableError,
)

# DuckDB's errors begin with their category, also where Arrow has wrapped them on the way.
_CATEGORY: Final = re.compile(r"([A-Z][A-Za-z ]*?) Error: ")
_OF_DATA: Final = frozenset({"conversion", "out of range", "mismatch type", "invalid type", "decimal"})
_OF_SQL: Final = frozenset(
    {
        "parser",
        "syntax",
        "binder",
        "catalog",
        "invalid input",
        "not implemented",
        "constraint",
        "expression",
        "parameter not resolved",
        "parameter not allowed",
        "sequence",
        "invalid",
        "object size",
    }
)
_ADDRESS: Final = re.compile(r"""[A-Za-z][A-Za-z0-9+.-]*://[^\s"'`]*""")
_PATH: Final = re.compile(r"""(?<![\w)\]./])(?:~|\.{1,2})?/(?:[^\s"'`/]+/)+[^\s"'`/:,;]*""")
_LONGEST: Final = 2_000

_CLASSES: Final[dict[str, type[GatewayError]]] = {
    kind.__name__: kind
    for kind in (
        EngineLimitError,
        GatewayError,
        InvalidInputError,
        QueryInvalidError,
        QueryRefusedError,
        StorageUnavailableError,
        UnavailableError,
    )
}


class EngineFailureError(Exception):
    """What the engine said, for the log only."""


def failure_message(error: BaseException, job: Job) -> dict[str, Any]:
    failure = error if isinstance(error, GatewayError) else _translated(error, job)
    return {
        "error": type(failure).__name__,
        "detail": failure.detail,
        "hint": failure.hint,
        "candidates": list(failure.candidates),
        "retry_after": failure.retry_after,
        "cause": without_places(f"{type(error).__name__}: {error}"[:_LONGEST]),
    }


def failure_of(message: Mapping[str, Any]) -> GatewayError:
    """The error to raise in the gateway. Nothing of the message is trusted to have the right form."""
    kind = _CLASSES.get(str(message.get("error")), GatewayError)
    candidates, retry_after = message.get("candidates"), message.get("retry_after")
    failure = kind(
        str(message.get("detail"))[:_LONGEST],
        hint=str(message["hint"])[:_LONGEST] if message.get("hint") else None,
        candidates=[str(name) for name in candidates] if isinstance(candidates, list) else (),
        retry_after=retry_after if isinstance(retry_after, int) else None,
    )
    failure.__cause__ = EngineFailureError(str(message.get("cause"))[:_LONGEST])
    return failure


def without_places(text: str) -> str:
    """The text without paths and addresses: where files lie is nobody's business, and an address may be a key."""
    return _PATH.sub("…", _ADDRESS.sub("…", text))


def _translated(error: BaseException, job: Job) -> GatewayError:
    text = str(error)
    found = _CATEGORY.match(text)
    category = found[1].lower() if found else ""
    if isinstance(error, MemoryError) or category == "out of memory":
        return EngineLimitError("The query needs more memory than it may have.", hint="Ask for fewer rows or columns.")
    if category in {"io", "http"} or (isinstance(error, OSError) and not category):
        return _unreadable(text, job)
    # Cut first: a message can hold a value of megabytes, and looking for places in it would take minutes.
    said = without_places(text[:_LONGEST])
    judge = _of_trusted if job.trusted else _of_untrusted
    return judge(category, said, is_value=isinstance(error, ValueError) and not found)


def _unreadable(text: str, job: Job) -> GatewayError:
    if job.spill in text:
        return UnavailableError("There is no room for what the query puts aside.", retry_after=30)
    return StorageUnavailableError("The warehouse could not be read.", retry_after=5)


def _of_trusted(category: str, said: str, *, is_value: bool) -> GatewayError:
    if category in _OF_DATA or is_value:
        return InvalidInputError(f"The data does not fit the query: {said}")
    return GatewayError("The query engine refused the query.")


def _of_untrusted(category: str, said: str, *, is_value: bool) -> GatewayError:
    if category in _OF_DATA or category in _OF_SQL or is_value:
        return QueryInvalidError(said)
    if category == "permission":
        return QueryRefusedError("The query asks for something that a query may not do.")
    return GatewayError("The query engine failed.")
