"""Where the bytes of training datasets are: in the warehouse, or in a bucket that a connector leads to."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.featurestore.connectors.files import FileConnector, FileReader
from app.featurestore.connectors.models import StorageConnector
from app.featurestore.connectors.repository import ConnectorRepository
from app.featurestore.locations.models import Location
from app.featurestore.locations.service import Elsewhere
from app.featurestore.training_datasets.errors import SinkOccupiedError
from app.featurestore.training_datasets.files import LABELS, MANIFEST, DatasetFiles
from app.featurestore.training_datasets.models import TrainingDataset
from infra.database.unit_of_work import Database
from infra.errors import InvalidInputError
from infra.ports.storage import ObjectStore

INTERNAL, EXTERNAL = "INTERNAL", "EXTERNAL"
# What begins with a dot or an underscore, readers of folders pass over, and so does our own staging.
_SEGMENT = r"[A-Za-z0-9][A-Za-z0-9._=-]{0,127}"
_PATH = re.compile(rf"{_SEGMENT}(/{_SEGMENT}){{0,15}}")
# What a writer of ours that died may have left, and nobody else's files are called.
_OURS = re.compile(rf"([a-z][a-z0-9_]{{0,31}}/)?part-\d{{5,}}\.[a-z0-9]+|{re.escape(MANIFEST)}|{re.escape(LABELS)}")


@dataclass(frozen=True)
class Sink:
    """A place that somebody chose: `path` below what the connector leads to."""

    connector: FileConnector
    path: str

    @property
    def elsewhere(self) -> Elsewhere:
        assert self.connector.id is not None, "the built-in one is the project's own place"
        return Elsewhere(self.connector.id, self.path)


class DatasetPlaces:
    """Finds, opens and clears them. Opening a connector fetches its secret: never within a transaction."""

    def __init__(self, *, database: Database, store: ObjectStore, connectors: FileReader) -> None:
        self._database = database
        self._store = store
        self._connectors = connectors

    def find_sink(self, session: Session, project_id: UUID, name: str | None, path: str | None) -> Sink | None:
        """None is the project's own place in the warehouse, under whatever name it was asked for."""
        path = path or None
        if name is None and path is None:
            return None
        if name is None:
            raise InvalidInputError("A path is below a sink, and no sink is named.", hint="Name a storage connector.")
        connector = self._connectors.find(session, project_id, name)
        if connector.is_built_in:
            _refuse_path(path)
            return None
        if path is not None and not _PATH.fullmatch(path):
            raise InvalidInputError(
                f"{path[:80]!r} is no path of a sink.",
                hint="Segments of letters, digits, . _ = and -, joined by /, each beginning with a letter or a digit.",
            )
        return Sink(connector, path or "")

    def of(self, dataset: TrainingDataset) -> DatasetFiles:
        if dataset.connector is None:
            return self.at(dataset.location)
        connector = FileConnector.of(dataset.connector)
        return self.of_sink(Sink(connector, dataset.external_path or ""))

    def at(self, location: str) -> DatasetFiles:
        """In the warehouse."""
        return DatasetFiles(lambda: self._store, location, self._store.uri(location))

    def of_sink(self, sink: Sink) -> DatasetFiles:
        uri = self._connectors.uri(sink.connector, sink.path)
        return DatasetFiles(lambda: self._connectors.store(sink.connector), sink.path, uri)

    def require_free(self, sink: Sink) -> None:
        """Raises SinkOccupiedError where anything lies there: what is not ours must neither be mixed with ours nor removed."""
        if next(self._connectors.store(sink.connector).list_files(sink.path), None) is not None:
            raise SinkOccupiedError(
                f"There are files at {self._connectors.uri(sink.connector, sink.path)} already.",
                hint="Choose another path, or delete the training dataset that is there first.",
            )

    def require_apart(self, session: Session, project_id: UUID, elsewhere: Elsewhere) -> None:
        """Implements `ExternalFiles`. Connectors of one project may lead to one bucket, hence addresses are compared."""
        repository = ConnectorRepository(session)
        wanted = self._address(repository.get_by_id(project_id, elsewhere.connector_id), elsewhere.path)
        others = (
            select(StorageConnector, Location.external_path)
            .join(Location, Location.connector_id == StorageConnector.id)
            .where(Location.project_id == project_id)
        )
        for connector, path in session.execute(others):
            found = self._address(connector, path or "")
            if found.startswith(wanted) or wanted.startswith(found):
                raise SinkOccupiedError(
                    f"Another training dataset of the project lies at {found[:-1]}, or is being written or removed there.",
                    hint="Choose another path. Where a writer died its place is free again after a day.",
                )

    def _address(self, connector: StorageConnector, path: str) -> str:
        """With a slash at the end: `a/b2` is no part of `a/b`."""
        return f"{self._connectors.uri(FileConnector.of(connector), path)}/"

    def remove(self, project_id: UUID, elsewhere: Elsewhere, files: Sequence[str] | None) -> int:
        """Implements `ExternalFiles`: what we wrote, and nothing else."""
        with self._database.read() as session:
            row = ConnectorRepository(session).get_by_id(project_id, elsewhere.connector_id)
            connector = FileConnector.of(row)
        store = self._connectors.store(connector)
        found = {path.removeprefix(f"{elsewhere.path}/"): path for path in store.list_files(elsewhere.path)}
        ours = [path for name, path in found.items() if (name in files if files else _OURS.fullmatch(name))]
        store.delete_files(ours)
        return len(ours)


def files_of(manifest: Mapping[str, Any]) -> list[str]:
    """Every file that a dataset consists of, with those beside its rows."""
    label_file = manifest.get("label_file")
    return [*(file["path"] for file in manifest["files"]), MANIFEST, *([label_file["path"]] if label_file else ())]


def _refuse_path(path: str | None) -> None:
    if path is not None:
        raise InvalidInputError(
            "In the project's own place the gateway chooses the path.",
            hint="Leave out path, or name a connector to a bucket as sink.",
        )
