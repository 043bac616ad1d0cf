"""Retries against a deadline, in which giving up is only allowed after a last look."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from infra.errors import GatewayError, NotFoundError, StorageUnavailableError

RETRY_AFTER: Final = 5
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 1.0
# delta-rs gives one class for everything below it; these words are what its object store says of a failed call.
_STORE_WORDS: Final = ("object store", "objectstore", "generic s3", "error sending request", "timed out", "io error")


class Backoff:
    """Swallows what may pass and waits; what cannot pass, or the deadline, makes the next look the last."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._pause = _FIRST_PAUSE
        self._refusal: GatewayError | None = None

    @property
    def remaining(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    @contextmanager
    def attempt(self) -> Iterator[None]:
        try:
            yield
        except TableNotFoundError as error:
            raise NotFoundError("There is no table at this location.") from error
        except (DeltaError, OSError, StorageUnavailableError) as error:
            if error is self._refusal:
                raise
            self._settle(error)

    def require_more_time(self) -> None:
        """Called after a look at the log: the request is not in it, so a refusal noted before is now the truth."""
        if self._refusal is not None:
            raise self._refusal

    def _settle(self, error: Exception) -> None:
        if self._refusal is not None:
            raise StorageUnavailableError(
                "Whether the write happened could not be established.",
                hint="Send it again with the same idempotency key; it will not be written twice.",
                retry_after=RETRY_AFTER,
            ) from error
        if not is_transient(error) or self.remaining <= self._pause:
            self._refusal = refusal(error)
            self._refusal.__cause__ = error
            return
        # Full jitter: losers of one race must not meet again in the next.
        time.sleep(random.uniform(0, self._pause))  # noqa: S311 no secret
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)


def is_transient(error: Exception) -> bool:
    """A lost race or a store that did not answer, as against a write that will never fit."""
    if isinstance(error, CommitFailedError | OSError | StorageUnavailableError):
        return True
    text = str(error).lower()
    return any(word in text for word in _STORE_WORDS)


def refusal(error: Exception) -> GatewayError:
    """The engine's own text stays in the cause: it names endpoints and keys of the bucket."""
    if isinstance(error, CommitFailedError):
        return StorageUnavailableError("Too many others write to this table just now.", retry_after=RETRY_AFTER)
    if "no space left" in str(error).lower():
        return StorageUnavailableError("The warehouse is full.", hint="Its operator must make room.", retry_after=60)
    if is_transient(error):
        return StorageUnavailableError("The warehouse does not answer.", retry_after=RETRY_AFTER)
    return GatewayError("The table engine refused.")
