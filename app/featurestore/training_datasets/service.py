"""Use cases around training datasets."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib.metadata import version as distribution_version
from typing import Any, BinaryIO
from uuid import UUID

import pyarrow as pa
from sqlalchemy.orm import Session

from app.featurestore.feature_groups.conform import conform
from app.featurestore.feature_groups.frames import Frame
from app.featurestore.feature_groups.infos import group_schema
from app.featurestore.feature_groups.rules import GroupSpec, require_version, resolve_features
from app.featurestore.feature_groups.types import to_arrow, to_hive
from app.featurestore.locations.models import LocationState
from app.featurestore.locations.service import Locations
from app.featurestore.query.expression import FeatureExpression
from app.featurestore.query.service import QueryService, Retrieval
from app.featurestore.training_datasets.errors import TrainingDatasetExistsError, TrainingFileNotFoundError
from app.featurestore.training_datasets.files import WrittenFile, write_parts
from app.featurestore.training_datasets.models import TrainingDataset
from app.featurestore.training_datasets.repository import TrainingDatasetRepository
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
    """`query` None: the rows come with the request as a frame."""

    name: str
    version: int = 1
    description: str = ""
    data_format: str = "parquet"
    query: FeatureExpression | None = None
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


class TrainingDatasetService:
    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        audit: AuditLog,
        queries: QueryService,
        store: ObjectStore,
        locations: Locations,
        formats: Registry[DataFormat],
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._audit = audit
        self._queries = queries
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
        if (command.query is None) == (frame is None):
            raise InvalidInputError("A training dataset is made from a query or from a frame: send one of them.")
        data_format = self._formats.load(command.data_format)
        location = self._locations.claim(access.project_id)
        try:
            if frame is not None:
                manifest = self._write_frame(frame, data_format, location)
            else:
                assert command.query is not None
                manifest = self._write_query(context, project, command.query, data_format, location)
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
            return Manifest(**{**dataset.manifest, "groups": groups, "query": None})

    def open_file(self, context: RequestContext, project: str, name: str, version: int, path: str) -> BinaryIO:
        """One file of the manifest; no other path exists."""
        with self._database.read() as session:
            _, dataset = self._load(session, context, Action.TRAINING_DATASET_READ_ROWS, project, name, version)
            location, known = dataset.location, [file["path"] for file in dataset.manifest["files"]]
        if path not in known:
            raise TrainingFileNotFoundError("The training dataset has no such file.", candidates=known[:20])
        return self._store.open_input(f"{location}/{path}")

    def read(
        self, context: RequestContext, project: str, name: str, version: int
    ) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Schema and rows, file by file in the order they were written."""
        with self._database.read() as session:
            _, dataset = self._load(session, context, Action.TRAINING_DATASET_READ_ROWS, project, name, version)
            location, manifest, name_of_format = dataset.location, dataset.manifest, dataset.data_format
        schema = pa.schema([pa.field(column["name"], to_arrow(column["type"])) for column in manifest["features"]])
        paths = [f"{location}/{file['path']}" for file in manifest["files"]]
        return schema, self._read_files(paths, self._formats.load(name_of_format), schema)

    def delete(self, context: RequestContext, project: str, name: str, version: int) -> None:
        with self._database.write() as uow:
            _, dataset = self._load(uow.session, context, Action.TRAINING_DATASET_DELETE, project, name, version)
            require_creator_or_owner(context.principal, dataset.created_by)
            self._discard(uow, dataset)
            self._record(uow, context, Action.TRAINING_DATASET_DELETE, dataset)
            uow.commit()
        self._locations.purge()

    def _write_frame(self, frame: Frame, data_format: DataFormat, location: str) -> dict[str, Any]:
        schema = group_schema(resolve_features(GroupSpec("frame"), frame.schema))
        data_format.check(schema)
        rows = conform(frame, schema)
        files = write_parts(self._store, location, data_format, iter(rows.reader()), schema)
        return self._manifest(location, data_format, schema, files)

    def _write_query(
        self,
        context: RequestContext,
        project: str,
        query: FeatureExpression,
        data_format: DataFormat,
        location: str,
    ) -> dict[str, Any]:
        retrieval = self._queries.retrieve(context, project, query)
        data_format.check(retrieval.schema)
        with self._queries.run(retrieval) as stream:
            files = write_parts(self._store, location, data_format, iter(stream), retrieval.schema)
        origin = {"query": _recorded(query), "groups": _groups(retrieval)}
        return self._manifest(location, data_format, retrieval.schema, files, **origin)

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


def _recorded(query: FeatureExpression) -> dict[str, Any]:
    """The expression as JSON; times as text."""
    recorded: dict[str, Any] = json.loads(json.dumps(asdict(query), default=datetime.isoformat))
    return recorded


def _groups(retrieval: Retrieval) -> list[dict[str, Any]]:
    """What was read, the labels' group last; `table_version` is None of a group on demand."""
    read = [
        (source.group, version)
        for source, version in zip(retrieval.plan.sources, retrieval.table_versions, strict=True)
    ]
    labels = retrieval.plan.labels
    if labels is not None and labels.group is not None and retrieval.labels is not None:
        read.append((labels.group, retrieval.labels.version))
    return [
        {"project": group.project, "name": group.name, "version": group.version, "table_version": version}
        for group, version in read
    ]


def _exists(name: str, version: int) -> TrainingDatasetExistsError:
    return TrainingDatasetExistsError(
        f"Training dataset {name!r} has a version {version} already.",
        hint="Create another version, or ask to overwrite this one.",
    )
