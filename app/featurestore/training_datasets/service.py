"""Use cases around training datasets."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from importlib.metadata import version as distribution_version
from typing import Any, BinaryIO
from uuid import UUID

import pyarrow as pa
from sqlalchemy.orm import Session

from app.featurestore.feature_groups.frames import Frame
from app.featurestore.feature_groups.rules import require_version
from app.featurestore.feature_groups.types import to_arrow, to_hive
from app.featurestore.locations.models import LocationState
from app.featurestore.locations.service import Locations
from app.featurestore.query.expression import FeatureExpression
from app.featurestore.sql.service import SqlQuery
from app.featurestore.training_datasets.errors import TrainingDatasetExistsError, TrainingFileNotFoundError
from app.featurestore.training_datasets.files import WrittenFile, write_parts
from app.featurestore.training_datasets.models import TrainingDataset
from app.featurestore.training_datasets.repository import TrainingDatasetRepository
from app.featurestore.training_datasets.rows import Rows, RowSources
from app.featurestore.training_datasets.splits import Splits, require_splits, split_rows
from infra.clock import Clock
from infra.database.paging import Page, PageRequest, paginate
from infra.database.unit_of_work import Database, UnitOfWork
from infra.errors import InvalidInputError
from infra.ids import IdFactory
from infra.ports.formats import DataFormat
from infra.ports.storage import ObjectStore
from infra.registry import Registry
from tenancy.access import Access, Authorizer, require_creator_or_owner
from tenancy.actions import Action
from tenancy.audit.service import AuditLog
from tenancy.names import require_name
from tenancy.principals import RequestContext

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class CreateTrainingDataset:
    """Rows come from `query`, from `sql`, or with the request as a frame. A frame beside `query` holds its labels."""

    name: str
    version: int = 1
    description: str = ""
    data_format: str = "parquet"
    query: FeatureExpression | None = None
    sql: SqlQuery | None = None
    splits: Splits | None = None
    overwrite: bool = False
    jobs: tuple[str, ...] = ()


@dataclass(frozen=True)
class ColumnInfo:
    name: str
    type: str


@dataclass(frozen=True)
class TrainingDatasetInfo:
    """`path` is where the bytes are: a directory or an s3:// prefix."""

    id: UUID
    project: str
    name: str
    version: int
    kind: str
    description: str
    data_format: str
    features: list[ColumnInfo]
    jobs: list[str]
    created_at: datetime
    created_by: str
    path: str
    rows: int
    bytes: int
    revision: int


@dataclass(frozen=True)
class Manifest:
    """What a dataset consists of and came from. `groups` are only those that the reader may see."""

    files: list[dict[str, Any]]
    features: list[dict[str, str]]
    rows: int
    data_format: str
    created_at: str
    oasthouse_version: str
    groups: list[dict[str, Any]] = field(default_factory=list)
    query: dict[str, Any] | None = None
    sql: str | None = None
    splits: dict[str, Any] | None = None


class TrainingDatasetService:
    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        audit: AuditLog,
        rows: RowSources,
        store: ObjectStore,
        locations: Locations,
        formats: Registry[DataFormat],
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._audit = audit
        self._rows = rows
        self._store = store
        self._locations = locations
        self._formats = formats
        self._clock = clock
        self._ids = ids

    def create(
        self, context: RequestContext, project: str, command: CreateTrainingDataset, frame: Frame | None = None
    ) -> TrainingDatasetInfo:
        """Write the files, then make them known; until the last step nothing is visible."""
        access = self._require_free(context, project, command)
        data_format = self._formats.load(command.data_format)
        rows_of = self._rows_of(context, project, command, frame, data_format)
        location = self._locations.claim(access.project_id)
        try:
            with rows_of as rows:
                manifest = self._write(rows, data_format, location, command.splits)
            with self._database.write() as uow:
                dataset = self._new_dataset(context, access, command, manifest, location)
                self._replace(uow, context, dataset, overwrite=command.overwrite)
                self._record(uow, context, Action.TRAINING_DATASET_CREATE, dataset)
                info = self._info(dataset)
                context.remember(uow.session, info)
                uow.commit()
        except Exception:
            self._locations.abandon(location)
            raise
        self._locations.purge()
        return info

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
        """Who reads through a share is not told of the groups behind the dataset that are not shared with them too."""
        with self._database.read() as session:
            access, dataset = self._load(session, context, Action.TRAINING_DATASET_READ, project, name, version)
            manifest = Manifest(**dataset.manifest)
            if access.project_id == context.principal.project_id:
                return manifest
            visible = self._authorizer.accesses(session, context.principal, Action.FEATURE_GROUP_READ)
            names = {other.project for other in visible}
            groups = [group for group in manifest.groups if group["project"] in names]
            return Manifest(**{**dataset.manifest, "groups": groups, "query": None, "sql": None})

    def open_file(self, context: RequestContext, project: str, name: str, version: int, path: str) -> BinaryIO:
        """One file of the manifest; no other path exists."""
        with self._database.read() as session:
            _, dataset = self._load(session, context, Action.TRAINING_DATASET_READ_ROWS, project, name, version)
            location, known = dataset.location, [file["path"] for file in dataset.manifest["files"]]
        if path not in known:
            raise TrainingFileNotFoundError("The training dataset has no such file.", candidates=known[:20])
        return self._store.open_input(f"{location}/{path}")

    def read(
        self, context: RequestContext, project: str, name: str, version: int, split: str | None = None
    ) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Schema and rows, file by file in the order they were written; of one split, or of all."""
        with self._database.read() as session:
            _, dataset = self._load(session, context, Action.TRAINING_DATASET_READ_ROWS, project, name, version)
            location, manifest, name_of_format = dataset.location, dataset.manifest, dataset.data_format
        schema = pa.schema([pa.field(column["name"], to_arrow(column["type"])) for column in manifest["features"]])
        if split is not None:
            _require_split(manifest, split)
        files = [file for file in manifest["files"] if split in (None, file.get("split"))]
        paths = [f"{location}/{file['path']}" for file in files]
        return schema, self._read_files(paths, self._formats.load(name_of_format), schema)

    def delete(self, context: RequestContext, project: str, name: str, version: int) -> None:
        with self._database.write() as uow:
            _, dataset = self._load(uow.session, context, Action.TRAINING_DATASET_DELETE, project, name, version)
            require_creator_or_owner(context.principal, dataset.created_by)
            self._discard(uow, dataset)
            self._record(uow, context, Action.TRAINING_DATASET_DELETE, dataset)
            uow.commit()
        self._locations.purge()

    def _rows_of(
        self,
        context: RequestContext,
        project: str,
        command: CreateTrainingDataset,
        frame: Frame | None,
        data_format: DataFormat,
    ) -> AbstractContextManager[Rows]:
        def require(schema: pa.Schema) -> None:
            data_format.check(schema)
            if command.splits is not None:
                require_splits(command.splits, schema)

        if command.query is not None and command.sql is None:
            return self._rows.of_features(context, project, command.query, frame, require)
        if command.sql is not None and command.query is None and frame is None:
            return self._rows.of_sql(context, project, command.sql, require)
        if frame is not None and command.query is None and command.sql is None:
            return self._rows.of_frame(frame, require)
        raise InvalidInputError(
            "A training dataset is made from a query, from SQL or from a frame: send one of them.",
            hint="A frame together with a query holds the query's labels.",
        )

    def _write(self, rows: Rows, data_format: DataFormat, location: str, splits: Splits | None) -> dict[str, Any]:
        if splits is None:
            files = write_parts(self._store, location, data_format, rows.batches, rows.schema)
            return self._manifest(location, data_format, rows.schema, files, **rows.origin)
        files = []
        with split_rows(rows.batches, rows.schema, splits) as rows_of:
            for name, batches in rows_of.items():
                written = write_parts(self._store, f"{location}/{name}", data_format, batches, rows.schema)
                files += [replace(file, path=f"{name}/{file.path}", split=name) for file in written]
        return self._manifest(location, data_format, rows.schema, files, splits=asdict(splits), **rows.origin)

    def _manifest(
        self, location: str, data_format: DataFormat, schema: pa.Schema, files: list[WrittenFile], **origin: Any
    ) -> dict[str, Any]:
        """Beside the files too: whoever has only the bucket still knows what is in it."""
        manifest = asdict(
            Manifest(
                files=[asdict(file) for file in files],
                features=[{"name": column.name, "type": to_hive(column.type)} for column in schema],
                rows=sum(file.rows for file in files),
                data_format=data_format.name,
                created_at=self._clock.now().isoformat(),
                oasthouse_version=distribution_version("oasthouse"),
                **origin,
            )
        )
        with self._store.open_output(f"{location}/{MANIFEST}") as sink:
            sink.write(json.dumps(manifest, indent=2).encode())
        return manifest

    def _require_free(self, context: RequestContext, project: str, command: CreateTrainingDataset) -> Access:
        require_name(command.name, "training dataset")
        require_version(command.version)
        with self._database.read() as session:
            principal = context.principal
            access = self._authorizer.require(session, principal, Action.TRAINING_DATASET_CREATE, project)
            old = TrainingDatasetRepository(session).find(access.project_id, command.name, command.version)
            if old is not None and not command.overwrite:
                raise _exists(command.name, command.version)
            if old is not None:
                require_creator_or_owner(principal, old.created_by)
        return access

    def _new_dataset(
        self,
        context: RequestContext,
        access: Access,
        command: CreateTrainingDataset,
        manifest: dict[str, Any],
        location: str,
    ) -> TrainingDataset:
        return TrainingDataset(
            id=self._ids(),
            project_id=access.project_id,
            name=command.name,
            version=command.version,
            kind="INTERNAL",
            description=command.description,
            data_format=command.data_format,
            location=location,
            rows=manifest["rows"],
            bytes=sum(file["bytes"] for file in manifest["files"]),
            manifest=manifest,
            jobs=list(command.jobs),
            created_at=self._clock.now(),
            created_by=context.principal.name,
        )

    def _replace(self, uow: UnitOfWork, context: RequestContext, dataset: TrainingDataset, *, overwrite: bool) -> None:
        """One transaction takes the old one away and brings the new one: readers see either, never neither.

        Whose the old one is, is asked here again: it may have come while the files were written.
        """
        if overwrite:
            old = TrainingDatasetRepository(uow.session).find(dataset.project_id, dataset.name, dataset.version)
            if old is not None:
                require_creator_or_owner(context.principal, old.created_by)
                self._discard(uow, old)
                uow.session.flush()
        uow.session.add(dataset)
        uow.flush_or(_exists(dataset.name, dataset.version))
        self._locations.mark(uow.session, dataset.location, LocationState.LIVE)

    def _discard(self, uow: UnitOfWork, dataset: TrainingDataset) -> None:
        self._locations.mark(uow.session, dataset.location, LocationState.DOOMED)
        uow.session.delete(dataset)

    def _load(
        self, session: Session, context: RequestContext, action: Action, project: str, name: str, version: int
    ) -> tuple[Access, TrainingDataset]:
        access = self._authorizer.require(session, context.principal, action, project)
        return access, TrainingDatasetRepository(session).get(access.project_id, name, version)

    def _read_files(self, paths: list[str], data_format: DataFormat, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for path in paths:
            with closing(self._store.open_input(path)) as source:
                yield from data_format.read(source, schema)

    def _record(self, uow: UnitOfWork, context: RequestContext, action: Action, dataset: TrainingDataset) -> None:
        self._audit.record(
            uow.session,
            context,
            action,
            project_id=dataset.project_id,
            subject=f"{dataset.name} version {dataset.version}",
            rows=dataset.rows,
        )

    def _info(self, dataset: TrainingDataset) -> TrainingDatasetInfo:
        return TrainingDatasetInfo(
            id=dataset.id,
            project=dataset.project.name,
            name=dataset.name,
            version=dataset.version,
            kind=dataset.kind,
            description=dataset.description,
            data_format=dataset.data_format,
            features=[ColumnInfo(**column) for column in dataset.manifest["features"]],
            jobs=dataset.jobs,
            created_at=dataset.created_at,
            created_by=dataset.created_by,
            path=self._store.uri(dataset.location),
            rows=dataset.rows,
            bytes=dataset.bytes,
            revision=dataset.revision,
        )


def _require_split(manifest: dict[str, Any], split: str) -> None:
    names = list((manifest.get("splits") or {}).get("shares", ()))
    if split not in names:
        raise InvalidInputError(f"The training dataset has no split {split[:40]!r}.", candidates=names)


def _exists(name: str, version: int) -> TrainingDatasetExistsError:
    return TrainingDatasetExistsError(
        f"Training dataset {name!r} has a version {version} already.",
        hint="Create another version, or ask to overwrite this one.",
    )
