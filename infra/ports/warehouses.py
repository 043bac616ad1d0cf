"""Warehouses of projects. Implementations: `infra/storage/warehouses.py`, `infra/storage/proving.py`."""

from dataclasses import dataclass
from typing import Final, Protocol

from infra.errors import ConflictError
from infra.ports.files import BucketRole

MARK: Final = "w="
"""How the path of a place in a warehouse of a project begins: `w=<warehouse>/<project>/<place>`. No folder of the gateway's own
warehouse is called so; the bucket itself has `<project>/<place>`."""


class WarehouseNotProvenError(ConflictError):
    """Something was tried there and did not turn out as tables need it. Nothing is kept of such a warehouse."""

    code = "warehouse-not-proven"
    title = "The warehouse cannot be used"


@dataclass(frozen=True)
class RegisteredWarehouse:
    """Where a project's tables go, as the operator said. `folder` is the project's, outside which nothing there is touched.

    Without a role the gateway comes as itself; `kms_key` is what S3 encrypts with.
    """

    id: str
    folder: str
    url: str
    region: str | None = None
    endpoint_url: str | None = None
    role: BucketRole | None = None
    kms_key: str | None = None

    def path(self, below: str = "") -> str:
        """Of a place in its project's folder, or of that folder."""
        return "/".join(filter(None, (f"{MARK}{self.id}", self.folder, below)))


class WarehouseProver(Protocol):
    def prove(self, warehouse: RegisteredWarehouse) -> list[str]:
        """Try all that tables need, leaving nothing behind; what was tried. WarehouseNotProvenError names check and fix."""
