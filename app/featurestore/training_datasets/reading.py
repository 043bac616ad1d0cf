"""Use cases that read training datasets."""

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
from sqlalchemy.orm import Session

from app.featurestore.feature_groups.types import to_arrow
from app.featurestore.training_datasets.errors import TrainingDatasetChangedError, TrainingFileNotFoundError
from app.featurestore.training_datasets.infos import Manifest, ReadRows, TrainingDatasetInfo
from app.featurestore.training_datasets.models import TrainingDataset
from app.featurestore.training_datasets.places import DatasetPlaces
from app.featurestore.training_datasets.repository import TrainingDatasetRepository
from infra.database.paging import Page, PageRequest, paginate
from infra.database.unit_of_work import Database
from infra.errors import InvalidInputError
from infra.ports.formats import DataFormat
from infra.registry import Registry
from tenancy.access import Access, Authorizer
from tenancy.actions import Action
from tenancy.principals import RequestContext

_EVERYTHING = ReadRows()


class TrainingDatasetReading:
    def __init__(
        self, *, database: Database, authorizer: Authorizer, places: DatasetPlaces, formats: Registry[DataFormat]
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._places = places
        self._formats = formats

    def get(self, context: RequestContext, project: str, name: str, version: int) -> TrainingDatasetInfo:
        with self._database.read() as session:
            _, dataset = self._load(session, context, Action.TRAINING_DATASET_READ, project, name, version)
            return self._info(dataset)

    def list_training_datasets(
        self, context: RequestContext, project: str, page: PageRequest, name: str | None = None
    ) -> Page[TrainingDatasetInfo]:
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.TRAINING_DATASET_READ, project)
            query = TrainingDatasetRepository(session).of_project(access.project_id, name)
            return paginate(session, query, page, [TrainingDataset.name, TrainingDataset.version]).map(self._info)

    def get_manifest(self, context: RequestContext, project: str, name: str, version: int) -> Manifest:
        """Who reads through a share is not told who wrote, nor of groups behind it that are not shared with them too."""
        with self._database.read() as session:
            access, dataset = self._load(session, context, Action.TRAINING_DATASET_READ, project, name, version)
            if access.project_id == context.principal.project_id:
                return Manifest(**dataset.manifest)
            visible = self._authorizer.accesses(session, context.principal, Action.FEATURE_GROUP_READ)
            return _for_receiver(dataset.manifest, {other.project for other in visible})

    def open_file(self, context: RequestContext, project: str, name: str, version: int, path: str) -> BinaryIO:
        """One file of the manifest; no other path exists."""
        with self._database.read() as session:
            _, dataset = self._load(session, context, Action.TRAINING_DATASET_READ_ROWS, project, name, version)
            files, known = self._places.of(dataset), [file["path"] for file in dataset.manifest["files"]]
        _require_file(known, path)
        return files.open(path)

    def read(
        self, context: RequestContext, project: str, name: str, version: int, rows: ReadRows = _EVERYTHING
    ) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Schema and rows, file by file in the order they were written."""
        with self._database.read() as session:
            _, dataset = self._load(session, context, Action.TRAINING_DATASET_READ_ROWS, project, name, version)
            files, manifest, name_of_format = self._places.of(dataset), dataset.manifest, dataset.data_format
        if rows.content_hash is not None and rows.content_hash != manifest.get("content_hash"):
            raise changed(name, version)
        chosen = _files(manifest, rows)
        schema = schema_of(manifest)
        _require_columns(schema, rows.columns)
        batches = files.read(chosen, self._formats.load(name_of_format), schema, rows.columns)
        return pa.schema([schema.field(column) for column in rows.columns]) if rows.columns else schema, batches

    def _load(
        self, session: Session, context: RequestContext, action: Action, project: str, name: str, version: int
    ) -> tuple[Access, TrainingDataset]:
        access = self._authorizer.require(session, context.principal, action, project)
        return access, TrainingDatasetRepository(session).get(access.project_id, name, version)

    def _info(self, dataset: TrainingDataset) -> TrainingDatasetInfo:
        return TrainingDatasetInfo.of(dataset, self._places.of(dataset).uri)


def schema_of(manifest: dict[str, Any]) -> pa.Schema:
    return pa.schema([pa.field(column["name"], to_arrow(column["type"])) for column in manifest["features"]])


def changed(name: str, version: int) -> TrainingDatasetChangedError:
    return TrainingDatasetChangedError(
        f"Other rows were written to version {version} of the training dataset {name!r} meanwhile.",
        hint="Look at it again, then decide.",
    )


def _for_receiver(manifest: dict[str, Any], projects: set[str]) -> Manifest:
    groups = [group for group in manifest.get("groups", ()) if group["project"] in projects]
    writes = [{key: value for key, value in write.items() if key != "by"} for write in manifest.get("writes", ())]
    hidden = {"query": None, "sql": None, "sql_options": None, "label_file": None}
    return Manifest(**{**manifest, **hidden, "groups": groups, "writes": writes})


def _files(manifest: dict[str, Any], rows: ReadRows) -> list[dict[str, Any]]:
    if rows.split is not None:
        _require_split(manifest, rows.split)
    files = [file for file in manifest["files"] if rows.split in (None, file.get("split"))]
    if rows.file is None:
        return files
    _require_file([file["path"] for file in files], rows.file)
    return [file for file in files if file["path"] == rows.file]


def _require_split(manifest: dict[str, Any], split: str) -> None:
    names = list((manifest.get("splits") or {}).get("shares", ()))
    if split not in names:
        raise InvalidInputError(f"The training dataset has no split {split[:40]!r}.", candidates=names)


def _require_file(known: Sequence[str], path: str) -> None:
    if path not in known:
        raise TrainingFileNotFoundError("The training dataset has no such file.", candidates=known[:20])


def _require_columns(schema: pa.Schema, columns: Sequence[str]) -> None:
    unknown = [name for name in columns if name not in schema.names]
    if unknown:
        raise InvalidInputError(
            f"The training dataset has no feature {unknown[0][:80]!r}.", candidates=schema.names[:20]
        )
