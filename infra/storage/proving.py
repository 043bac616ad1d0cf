"""Tries a project's warehouse before it is kept: all that tables need, step by step, and nothing stays behind."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final
from uuid import uuid4

from infra.errors import GatewayError
from infra.ports.warehouses import RegisteredWarehouse, WarehouseNotProvenError
from infra.storage.location import Warehouse
from infra.storage.s3 import S3ObjectStore, open_bucket
from infra.storage.warehouses import Roles, opened

_ROLE: Final = (
    "let the gateway's own role sts:AssumeRole it in its trust policy under this external id, and under this one only"
)
_WRITE: Final = (
    "allow the role s3:PutObject and s3:AbortMultipartUpload below the prefix, and kms:GenerateDataKey of the key"
)
_READ: Final = "allow the role s3:GetObject below the prefix, and kms:Decrypt of the key"
_LIST: Final = "allow the role s3:ListBucket on the bucket"
_DELETE: Final = "allow the role s3:DeleteObject below the prefix"
_KEY: Final = "use a store that encrypts with KMS, or leave out --kms-key"
_RACE: Final = "use a store that keeps to If-None-Match, such as Amazon S3"


class S3WarehouseProver:
    """Implements `infra.ports.warehouses.WarehouseProver`."""

    def __init__(self, own: Warehouse, roles: Roles) -> None:
        self._own = own
        self._roles = roles

    def prove(self, warehouse: RegisteredWarehouse) -> list[str]:
        # Asked for anew: what is kept of a role may be older than the mistake in it.
        with _step("comes in", _ROLE):
            keys = None if warehouse.role is None else self._roles.keys(warehouse.role)
        return _Steps(opened(warehouse, self._own, keys), warehouse.folder).all()


class _Steps:
    def __init__(self, warehouse: Warehouse, folder: str) -> None:
        self._warehouse = warehouse
        self._store = S3ObjectStore(warehouse)
        self._root = f"{folder}/probe-{uuid4().hex}"

    def all(self) -> list[str]:
        steps: list[tuple[str, str, Callable[[], Any]]] = [
            ("writes", _WRITE, self._write),
            ("reads", _READ, self._read),
            ("encrypts with the key", _KEY, self._require_key),
            ("lists", _LIST, self._list),
            ("lets one of many writers create an object", _RACE, self._store.race),
            ("deletes", _DELETE, self._delete),
        ]
        if self._options_key is None:
            steps = [step for step in steps if step[2] != self._require_key]
        try:
            for name, fix, step in steps:
                with _step(name, fix):
                    step()
        except WarehouseNotProvenError:
            with suppress(GatewayError):
                self._store.delete_prefix(self._root)
            raise
        return ["comes in", *(name for name, _, _ in steps)]

    @property
    def _options_key(self) -> str | None:
        return self._warehouse.s3.kms_key if self._warehouse.s3 else None

    def _write(self) -> None:
        with self._store.open_output(f"{self._root}/file") as file:
            file.write(b"probe")

    def _read(self) -> None:
        with self._store.open_input(f"{self._root}/file") as file:
            _require(file.read() == b"probe", "something else came back")

    def _require_key(self) -> None:
        bucket = open_bucket(self._warehouse)
        key = "/".join(filter(None, (self._warehouse.prefix, self._root, "file")))
        with bucket.translated(key):
            head = bucket.client.head_object(Bucket=bucket.name, Key=key)
        used = head.get("SSEKMSKeyId")
        _require(used == self._options_key, f"the object is under {used or 'no key'}")

    def _list(self) -> None:
        _require(list(self._store.list_files(self._root)) == [f"{self._root}/file"], "the file is not in the list")

    def _delete(self) -> None:
        _require(self._store.delete_prefix(self._root) == 1, "the file could not be found any more")
        _require(not list(self._store.list_files(self._root)), "the file is still there")


def _require(holds: bool, problem: str) -> None:  # noqa: FBT001 the thing itself
    if not holds:
        raise GatewayError(problem)


@contextmanager
def _step(name: str, fix: str) -> Iterator[None]:
    try:
        yield
    except GatewayError as error:
        raise WarehouseNotProvenError(
            f"It was tried whether the gateway {name} there: {error.detail}", hint=f"{fix[0].upper()}{fix[1:]}."
        ) from None
