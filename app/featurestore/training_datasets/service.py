"""Use cases that write training datasets."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID

import pyarrow as pa

from app.featurestore.feature_groups.frames import Frame
from app.featurestore.feature_groups.rules import require_version
from app.featurestore.locations.models import LocationState
from app.featurestore.locations.service import Locations
from app.featurestore.training_datasets.errors import TrainingDatasetExistsError
from app.featurestore.training_datasets.files import DatasetFiles
from app.featurestore.training_datasets.followers import DatasetFollower
from app.featurestore.training_datasets.infos import (
    ColumnInfo,
    CreateTrainingDataset,
    InsertMode,
    Manifest,
    ReadRows,
    RecreatedInfo,
    RecreateTrainingDataset,
    TrainingDatasetInfo,
)
from app.featurestore.training_datasets.insertion import TrainingDatasetInsertion
from app.featurestore.training_datasets.models import TrainingDataset
from app.featurestore.training_datasets.places import EXTERNAL, INTERNAL, DatasetPlaces, Sink, files_of
from app.featurestore.training_datasets.recreation import (
    code_changed,
    kept_labels,
    recipe,
    require_same_groups,
)
from app.featurestore.training_datasets.repository import TrainingDatasetRepository
from app.featurestore.training_datasets.rows import Require, Rows, RowSources
from app.featurestore.training_datasets.splits import require_splits
from app.featurestore.training_datasets.writing import (
    Form,
    Write,
    new_manifest,
    size_of,
    write_rows,
)
from infra.clock import Clock
from infra.database.unit_of_work import Database, UnitOfWork
from infra.errors import InvalidInputError
from infra.ids import IdFactory
from infra.ports.formats import DataFormat
from infra.ports.tables import Snapshot
from infra.registry import Registry
from tenancy.access import Access, Authorizer, require_creator_or_owner
from tenancy.actions import Action
from tenancy.audit.service import AuditLog
from tenancy.names import require_name
from tenancy.principals import RequestContext

__all__ = [
    "ColumnInfo",
    "CreateTrainingDataset",
    "InsertMode",
    "Manifest",
    "ReadRows",
    "RecreateTrainingDataset",
    "RecreatedInfo",
    "TrainingDatasetInfo",
    "TrainingDatasetService",
]

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class _Making:
    """A dataset to be written. `labels` came as a frame, and are kept so that it can be made again."""

    access: Access
    command: CreateTrainingDataset
    data_format: DataFormat
    rows_of: AbstractContextManager[Rows]
    labels: Frame | None = None
    sink: Sink | None = None


class TrainingDatasetService(TrainingDatasetInsertion):
    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        audit: AuditLog,
        rows: RowSources,
        places: DatasetPlaces,
        locations: Locations,
        formats: Registry[DataFormat],
        clock: Clock,
        ids: IdFactory,
        follower: DatasetFollower,
    ) -> None:
        super().__init__(
            database=database,
            authorizer=authorizer,
            audit=audit,
            places=places,
            locations=locations,
            formats=formats,
            clock=clock,
            follower=follower,
        )
        self._rows = rows
        self._states = rows.states
        self._ids = ids

    def create(
        self, context: RequestContext, project: str, command: CreateTrainingDataset, frame: Frame | None = None
    ) -> TrainingDatasetInfo:
        """Write the files, then make them known; until the last step nothing is visible."""
        access, sink = self._require_free(context, project, command)
        data_format = self._formats.load(command.data_format)
        rows_of = self._rows_of(context, project, command, frame, data_format)
        labels = frame if command.query is not None else None
        return self._make(context, _Making(access, command, data_format, rows_of, labels, sink), lambda info, _: info)

    def recreate(
        self, context: RequestContext, project: str, name: str, version: int, command: RecreateTrainingDataset
    ) -> RecreatedInfo:
        """Make a dataset again as it was made, and say whether its files are the same to the byte."""
        with self._database.read() as session:
            access, dataset = self._load(session, context, Action.TRAINING_DATASET_CREATE, project, name, version)
            files, old, called = self._places.of(dataset), dataset.manifest, command.name or name
            again = replace(
                recipe(old),
                name=called,
                version=command.version or TrainingDatasetRepository(session).next_version(access.project_id, called),
                description=dataset.description,
                jobs=tuple(dataset.jobs),
                statistics=dataset.statistics,
            )
        access, _ = self._require_free(context, project, again)
        data_format = self._formats.load(again.data_format)
        states = self._states.require(context, old["groups"])

        def compared(info: TrainingDatasetInfo, new: dict[str, Any]) -> RecreatedInfo:
            hashes = new["content_hash"], old["content_hash"]
            return RecreatedInfo(info, hashes[0] == hashes[1], *hashes, code_changed(old))

        with kept_labels(files, old["label_file"]) as labels:
            rows_of = self._rows_of(context, project, again, labels, data_format, states)
            making = _Making(access, again, data_format, _same(rows_of, old), labels)
            return self._make(context, making, compared)

    def check(self, command: CreateTrainingDataset) -> None:
        """What is wrong whatever the rows are, for who makes it later."""
        require_name(command.name, "training dataset")
        require_version(command.version)
        self._formats.load(command.data_format)
        self._rows.require_engine(command.engine, has_query=command.query is not None)

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
        states: Mapping[UUID, Snapshot] | None = None,
    ) -> AbstractContextManager[Rows]:
        require = self._requirements(command, data_format)
        engine = self._rows.require_engine(command.engine, has_query=command.query is not None)
        if command.query is not None and command.sql is None:
            return self._rows.of_features(context, project, command.query, frame, require, engine)
        if command.sql is not None and command.query is None and frame is None:
            return self._rows.of_sql(context, project, command.sql, require, states)
        if frame is not None and command.query is None and command.sql is None:
            return self._rows.of_frame(frame, require)
        raise InvalidInputError(
            "A training dataset is made from a query, from SQL or from a frame: send one of them.",
            hint="A frame together with a query holds the query's labels.",
        )

    def _requirements(self, command: CreateTrainingDataset, data_format: DataFormat) -> Require:
        def require(schema: pa.Schema) -> None:
            data_format.check(schema)
            if command.splits is not None:
                require_splits(command.splits, schema)
            if command.label is not None and command.label not in schema.names:
                raise InvalidInputError(f"The rows have no label {command.label[:80]!r}.", candidates=schema.names[:20])
            self._follower.require_statistics(command.statistics, schema)

        return require

    def _make(
        self,
        context: RequestContext,
        making: _Making,
        answer_of: Callable[[TrainingDatasetInfo, dict[str, Any]], _Answer],
    ) -> _Answer:
        command, sink = making.command, making.sink
        if sink is not None:
            self._locations.purge()  # what waits to be removed may lie where this one is to go
            self._places.require_free(sink)
        location = self._locations.claim(making.access.project_id, None if sink is None else sink.elsewhere)
        files = self._places.at(location) if sink is None else self._places.of_sink(sink)
        try:
            with making.rows_of as rows:
                manifest = self._write(context, rows, making, files)
            with self._database.write() as uow:
                dataset = self._new_dataset(context, making, manifest, location)
                self._replace(uow, context, dataset, overwrite=command.overwrite)
                self._follower.dataset_written(uow.session, dataset, context.principal.name)
                self._record(uow, context, Action.TRAINING_DATASET_CREATE, dataset)
                answer = answer_of(TrainingDatasetInfo.of(dataset, files.uri), manifest)
                context.remember(uow.session, answer)
                uow.commit()
        except Exception:
            self._locations.abandon(location)
            raise
        self._locations.purge()
        return answer

    def _write(self, context: RequestContext, rows: Rows, making: _Making, files: DatasetFiles) -> dict[str, Any]:
        command, now = making.command, self._clock.now().isoformat()
        labels = (command.label,) if command.label is not None else rows.labels
        form = Form(making.data_format, command.splits, labels, command.fixed)
        written = write_rows(files, rows, form, Write(now, context.principal.name))
        sent = making.labels
        label_file = None if sent is None else files.write_labels(sent.schema, sent.batches())
        manifest = new_manifest(rows, form, written, now, label_file)
        files.write_manifest(manifest)
        return manifest

    def _require_free(
        self, context: RequestContext, project: str, command: CreateTrainingDataset
    ) -> tuple[Access, Sink | None]:
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
            sink = self._places.find_sink(session, access.project_id, command.sink, command.path)
        if sink is not None and not sink.path:
            sink = replace(sink, path=f"{command.name}_{command.version}")
        return access, sink

    def _new_dataset(
        self, context: RequestContext, making: _Making, manifest: dict[str, Any], location: str
    ) -> TrainingDataset:
        command, sink = making.command, making.sink
        return TrainingDataset(
            id=self._ids(),
            project_id=making.access.project_id,
            name=command.name,
            version=command.version,
            kind=INTERNAL if sink is None else EXTERNAL,
            description=command.description,
            data_format=command.data_format,
            location=location,
            connector_id=None if sink is None else sink.connector.id,
            external_path=None if sink is None else sink.path,
            rows=manifest["rows"],
            bytes=size_of(manifest),
            manifest=manifest,
            jobs=list(command.jobs),
            statistics=command.statistics,
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
        self._locations.mark(uow.session, dataset.location, LocationState.DOOMED, files_of(dataset.manifest))
        uow.session.delete(dataset)
        # First, so that whoever writes about it at this moment has ended, and what they wrote is found.
        uow.session.flush()
        self._follower.dataset_deleted(uow.session, dataset)


@contextmanager
def _same(rows_of: AbstractContextManager[Rows], recorded: dict[str, Any]) -> Iterator[Rows]:
    with rows_of as rows:
        require_same_groups(recorded["groups"], rows.origin["groups"])
        # What was asked is what is recorded again; that it was pinned is no part of it.
        yield replace(rows, origin={**rows.origin, "query": recorded["query"]})


def _exists(name: str, version: int) -> TrainingDatasetExistsError:
    return TrainingDatasetExistsError(
        f"Training dataset {name!r} has a version {version} already.",
        hint="Create another version, or ask to overwrite this one.",
    )
