"""Connectors of kind HOPSFS: a folder of the project's own in the gateway's warehouse."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID, uuid5

from app.featurestore.connectors.kinds import Options
from app.featurestore.connectors.rules import invalid
from infra.crypto import SecretValue
from infra.errors import InvalidInputError
from infra.ports.files import FileSource, Folders
from infra.ports.storage import ObjectStore

_DATASET = re.compile(r"[A-Za-z0-9_]{1,63}")


class HopsfsKind:
    """Implements `ConnectorKind`, `FileKind` and `CredentialKind`. `project_id` finds the id of a project that exists."""

    def __init__(self, *, folders: Folders, project_id: Callable[[str], UUID]) -> None:
        self._folders = folders
        self._project_id = project_id

    def accept(self, given: Mapping[str, Any]) -> Options:
        values = {_ORIGINAL.get(name, name): value for name, value in given.items() if value is not None}
        wrong = {name: "is not known; there is dataset_name" for name in values if name != "dataset_name"}
        name = values.get("dataset_name")
        if not isinstance(name, str) or not _DATASET.fullmatch(name):
            wrong["dataset_name"] = "must be 1 to 63 of letters, digits and _"
        if wrong:
            raise invalid(wrong)
        return {"dataset_name": name}

    def require_credentials(self, options: Options, *, has_secret: bool) -> None:  # noqa: ARG002 the kind's signature
        if has_secret:
            raise InvalidInputError("A connector of kind HOPSFS takes no secret: its files are the gateway's own.")

    def external_id(self, project: str, options: Options) -> str | None:  # noqa: ARG002 the kind's signature
        return None

    def test(self, project: str, options: Options, secret: SecretValue | None) -> None:  # noqa: ARG002 the kind's signature
        self._folders.test(self._path(project, options))

    def files(self, project: str, options: Options, secret: SecretValue | None) -> ObjectStore:  # noqa: ARG002 the kind's signature
        return self._folders.store(self._path(project, options))

    def source(self, project: str, options: Options, secret: SecretValue | None) -> FileSource:  # noqa: ARG002 the kind's signature
        return self._folders.source(self._path(project, options))

    def uri(self, project: str, options: Options, path: str) -> str:
        return f"{self._folders.uri(self._path(project, options))}/{path}"

    def _path(self, project: str, options: Options) -> str:
        return folder_of(self._project_id(project), self.accept(options)["dataset_name"])


_ORIGINAL = {"datasetName": "dataset_name"}


def folder_of(project_id: UUID, dataset_name: str) -> str:
    """`<project-uuid>/<uuid>` as all places in the warehouse; the second says the name without showing it."""
    return f"{project_id}/{uuid5(project_id, 'hopsfs:' + dataset_name)}"
