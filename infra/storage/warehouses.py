"""Which warehouse a place is in: the gateway's own, or one of a project's, by path and by address.

What belongs to one is never reached with the credentials of another: they are chosen by the same words that say where to.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from infra.errors import GatewayError, InvalidInputError, StorageUnavailableError
from infra.ports.files import BucketKeys, BucketRole
from infra.ports.warehouses import MARK, RegisteredWarehouse
from infra.storage.location import S3Options, Warehouse, path_segments

_KNOWN_SECONDS: Final = 30.0
# Of the hour for which a role's keys last: whoever gets them has the other half to come to an end.
_KEYS_SECONDS: Final = 1800.0
_PATIENCE_SECONDS: Final = 5.0

Registered = Callable[[], Sequence[RegisteredWarehouse]]


class Roles(Protocol):
    def keys(self, role: BucketRole) -> BucketKeys: ...


@dataclass
class _Held:
    """What came of asking for one role's keys, until when."""

    guard: threading.Lock = field(default_factory=threading.Lock)
    until: float = 0.0
    keys: BucketKeys | None = None
    failure: GatewayError | None = None


class Warehouses:
    """`registered` is asked again after half a minute, and at once for a place in one that is not known."""

    def __init__(self, own: Warehouse, registered: Registered = tuple, roles: Roles | None = None) -> None:
        self.own = own
        self._registered = registered
        self._roles = roles
        self._guard = threading.Lock()
        self._known: dict[str, RegisteredWarehouse] = {}
        self._known_until = 0.0
        self._held: dict[BucketRole, _Held] = {}

    @classmethod
    def of(cls, warehouse: "Warehouse | Warehouses") -> "Warehouses":
        return warehouse if isinstance(warehouse, Warehouses) else cls(warehouse)

    def uri(self, path: str) -> str:
        found, below = self.find(path)
        return self.own.uri(below) if found is None else bare(found, self.own).uri(below)

    def find(self, path: str) -> tuple[RegisteredWarehouse | None, str]:
        """None for the gateway's own, with the path below its root; InvalidInputError for another project's folder."""
        first, *rest = path_segments(path)
        if not first.startswith(MARK):
            return None, path
        found = self._find(first.removeprefix(MARK))
        if found is None:
            raise StorageUnavailableError(
                "The warehouse in which this lies is not registered.",
                hint="Ask the operator: `oast project warehouse`.",
            )
        if not rest or rest[0] != found.folder:
            raise InvalidInputError(f"{path!r} is not a path of the warehouse's own project.")
        return found, "/".join(rest)

    def reach(self, found: RegisteredWarehouse | None) -> Warehouse:
        """With the credentials that belong to it; StorageUnavailableError where they cannot be had."""
        return self.own if found is None else opened(found, self.own, self._keys(found.role))

    def reach_path(self, path: str) -> tuple[Warehouse, str]:
        found, below = self.find(path)
        return self.reach(found), below

    def holding(self, uri: str) -> RegisteredWarehouse | None:
        """In which a file of a table lies, by its address; InvalidInputError for an address in none of them."""
        if uri.startswith(f"{self.own.url}/"):
            self.own.below(uri)
            return None
        for known in (self._all, self._renewed):
            for each in known().values():
                if uri.startswith(f"{each.url}/{each.folder}/"):
                    bare(each, self.own).below(uri)
                    return each
        raise InvalidInputError("A file of the table lies outside the warehouse.")

    def _find(self, id: str) -> RegisteredWarehouse | None:  # noqa: A002 the registration's own word
        return self._all().get(id) or self._renewed().get(id)

    def _all(self) -> dict[str, RegisteredWarehouse]:
        return self._known if time.monotonic() < self._known_until else self._renewed()

    def _renewed(self) -> dict[str, RegisteredWarehouse]:
        known = {each.id: each for each in self._registered()}
        with self._guard:
            self._known, self._known_until = known, time.monotonic() + _KNOWN_SECONDS
        return known

    def _keys(self, role: BucketRole | None) -> BucketKeys | None:
        """One asks where many wait; a refusal is theirs as well, for a moment."""
        if role is None:
            return None
        with self._guard:
            held = self._held.setdefault(role, _Held())
        with held.guard:
            if time.monotonic() >= held.until:
                self._ask(role, held)
            if held.failure is not None:
                raise _unreachable(held.failure)
            return held.keys

    def _ask(self, role: BucketRole, held: _Held) -> None:
        assert self._roles is not None, "whoever registers roles has somebody to assume them"
        try:
            held.keys, held.failure = self._roles.keys(role), None
        except GatewayError as error:
            held.failure = error.with_traceback(None)
        held.until = time.monotonic() + (_KEYS_SECONDS if held.failure is None else _PATIENCE_SECONDS)


def _unreachable(error: GatewayError) -> StorageUnavailableError:
    """One for each who waits: an exception that several raise grows with each."""
    told = f"The project's own warehouse cannot be reached. {error.detail}"
    return StorageUnavailableError(told, hint=error.hint, retry_after=int(_PATIENCE_SECONDS))


def bare(found: RegisteredWarehouse, own: Warehouse) -> Warehouse:
    """Without credentials: whoever asks where something lies needs none."""
    return opened(found, own, None)


def opened(found: RegisteredWarehouse, own: Warehouse, keys: BucketKeys | None) -> Warehouse:
    """Without a role the gateway comes as it does to its own warehouse."""
    options = S3Options(region=found.region, endpoint_url=found.endpoint_url, kms_key=found.kms_key)
    if keys is not None:
        options = replace(
            options,
            access_key_id=keys.access_key_id.reveal(),
            secret_access_key=keys.secret_access_key.reveal(),
            session_token=keys.session_token.reveal() if keys.session_token else None,
        )
    elif found.role is None and own.s3 is not None:
        options = replace(
            options,
            access_key_id=own.s3.access_key_id,
            secret_access_key=own.s3.secret_access_key,
            session_token=own.s3.session_token,
        )
    return Warehouse(found.url, options)
