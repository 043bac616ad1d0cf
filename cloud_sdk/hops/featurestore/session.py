"""What every operation stands on: the transport, the project, and the names of its feature stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Dict, Optional, Union
from urllib.parse import quote

from hops.featurestore.arguments import checked_name, checked_version, shown
from hops.featurestore.errors import FeatureStoreNotFoundError, InvalidInputError
from hops.featurestore.transport import Request, Transport, json_request

PAGE = 500


def url_path(*segments: object) -> str:
    """`/a/b/c`, each segment quoted, so that no name can change what is addressed."""
    return "".join("/" + quote(str(segment), safe="") for segment in segments)


class Session:
    def __init__(self, transport: Transport, project: str, *, cached: bool = False) -> None:
        self.transport = transport
        self.project = project
        self._cached = cached
        self._stores: Optional[Dict[str, str]] = None

    @property
    def featurestore(self) -> str:
        return f"{self.project}_featurestore".lower()

    def featurestores(self, *, update_cache: bool = False) -> Dict[str, str]:
        """Feature store → the project that owns it; the session's own first."""
        if self._stores is not None and self._cached and not update_cache:
            return self._stores
        listed = self.pages(url_path("projects", self.project, "featurestores"))
        self._stores = {each["name"]: each["project"] for each in listed}
        return self._stores

    def owner_of(self, featurestore: Optional[str]) -> str:
        """The project that owns it; None means the session's own. Raises FeatureStoreNotFoundError."""
        if featurestore is None:
            return self.project
        if not isinstance(featurestore, str):
            raise InvalidInputError(
                f"{shown(featurestore)} is no feature store.", hint="Versions are given by name: featuregroup_version=…"
            )
        if featurestore.lower() == self.featurestore:
            return self.project
        stores = self.featurestores()
        if featurestore not in stores and self._cached:
            stores = self.featurestores(update_cache=True)
        if featurestore not in stores:
            raise FeatureStoreNotFoundError(
                f"Project {self.project!r} sees no feature store {featurestore!r}.",
                hint="Another project's feature store shows once it was shared with yours and the share was accepted.",
                candidates=list(stores),
            )
        return stores[featurestore]

    def group_path(self, name: str, version: int, featurestore: Optional[str], *rest: str) -> str:
        return self._version_path(
            featurestore, "feature-groups", checked_name(name, "feature group"), checked_version(version), *rest
        )

    def dataset_path(self, name: str, version: int, featurestore: Optional[str], *rest: str) -> str:
        called = checked_name(name, "training dataset")
        number = checked_version(version, "training_dataset_version")
        return self._version_path(featurestore, "training-datasets", called, number, *rest)

    def get(self, path: str) -> Any:
        return self.transport.json(Request("GET", path))

    def send(self, method: str, path: str, body: Optional[Mapping[str, Any]] = None, **extra: Any) -> Any:
        return self.transport.json(json_request(method, path, body, **extra))

    def pages(self, path: str, **query: Union[str, int]) -> Iterator[Dict[str, Any]]:
        """Every item of every page. `limit` says how many are asked for at a time."""
        asked: Dict[str, Any] = {"limit": PAGE, **query}
        while True:
            page = self.transport.json(Request("GET", path, query=asked))
            yield from page["items"]
            cursor = page.get("next_cursor")
            if not cursor:
                return
            asked = {**asked, "cursor": cursor}

    def _version_path(self, featurestore: Optional[str], kind: str, name: str, version: int, *rest: str) -> str:
        return url_path("projects", self.owner_of(featurestore), kind, name, "versions", version, *rest)


class Operations:
    """One subject's share of what a Connection can do."""

    _session: Session
