"""Logging in with secrets that change meanwhile."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog

from infra.crypto import SecretValue
from infra.errors import GatewayError
from infra.ports.secrets import SecretRef, SecretStage, SecretStore
from infra.registry import Registry
from infra.secrets.cached import SecretCache
from infra.secrets.stores import find_store

T = TypeVar("T")
REMEMBERED_SECONDS: Final = 60.0
"""For so long the previous version is tried first after it was taken, and not at all after it was refused."""

_MOST: Final = 1024
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Previous:
    """What became of a previous version: targets lock accounts, so nothing that was refused is tried with each request."""

    was_taken: bool
    until: float


class RotatingSecrets:
    """Implements `infra.ports.secrets.SecretUser`.

    Refused, the store is asked once for the current version; refused again or unchanged, the previous one is tried once,
    which is right where a target has not been told yet. Then it is over.
    """

    def __init__(
        self, stores: Registry[SecretStore], cache: SecretCache | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._stores = stores
        self._cache = cache or SecretCache()
        self._now = now
        self._previous: OrderedDict[tuple[str, SecretRef], _Previous] = OrderedDict()
        self._lock = threading.Lock()

    def require_known(self, ref: SecretRef) -> SecretStore:
        return find_store(self._stores, ref)

    def resolve(
        self, owner: str, ref: SecretRef, stage: SecretStage = SecretStage.CURRENT, *, anew: bool = False
    ) -> SecretValue:
        return self._cache.resolve(owner, self.require_known(ref), ref, stage, anew=anew)

    def use(
        self, owner: str, ref: SecretRef, attempt: Callable[[SecretValue], T], is_refusal: Callable[[Exception], bool]
    ) -> T:
        refused: list[SecretValue] = []
        failure: Exception | None = None
        known = self._known(owner, ref)
        for stage, anew in _ORDER[known.was_taken if known else None]:
            value = self._value(owner, ref, stage, anew=anew, must=failure is None and stage is SecretStage.CURRENT)
            if value is None or value in refused:
                self._note(owner, ref, stage, was_taken=False)
                continue
            try:
                answer = attempt(value)
            except Exception as error:
                if not is_refusal(error):
                    raise
                refused.append(value)
                failure = error
                self._note(owner, ref, stage, was_taken=False)
            else:
                self._note(owner, ref, stage, was_taken=True)
                return answer
        assert failure is not None, "the current version is there, or there is an error"
        raise failure

    def _value(self, owner: str, ref: SecretRef, stage: SecretStage, *, anew: bool, must: bool) -> SecretValue | None:
        """Once a target has refused, that is what is told, and not that the store has nothing better."""
        try:
            return self.resolve(owner, ref, stage, anew=anew)
        except GatewayError:
            if must:
                raise
            return None

    def _known(self, owner: str, ref: SecretRef) -> _Previous | None:
        with self._lock:
            found = self._previous.get((owner, ref))
        return found if found is not None and self._now() < found.until else None

    def _note(self, owner: str, ref: SecretRef, stage: SecretStage, *, was_taken: bool) -> None:
        with self._lock:
            if stage is SecretStage.PREVIOUS:
                self._previous[owner, ref] = _Previous(was_taken, self._now() + REMEMBERED_SECONDS)
                while len(self._previous) > _MOST:
                    self._previous.popitem(last=False)
            elif was_taken:
                self._previous.pop((owner, ref), None)
        if stage is SecretStage.PREVIOUS and was_taken:
            _log.warning(
                "secret taken in its previous version only", rotation_lag=True, owner=owner, reference=str(ref)
            )


_CURRENT, _NEWEST, _OLDER = (SecretStage.CURRENT, False), (SecretStage.CURRENT, True), (SecretStage.PREVIOUS, True)
_ORDER: Final = {
    None: (_CURRENT, _NEWEST, _OLDER),
    True: ((SecretStage.PREVIOUS, False), _NEWEST),
    False: (_CURRENT, _NEWEST),
}
"""By what is known of the previous version."""
