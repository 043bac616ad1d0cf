"""Feature groups of what lies at a connector: read whole to the worker's disk, then created or inserted like any frame."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pyarrow as pa
from sqlalchemy.orm import Session

from app.featurestore.connectors.files import FileReader
from app.featurestore.connectors.repository import ConnectorRepository
from app.featurestore.connectors.sql import SqlConnector, SqlReader
from app.featurestore.feature_groups.errors import FeatureGroupNotFoundError, RevisionStaleError
from app.featurestore.feature_groups.frames import Frame
from app.featurestore.feature_groups.infos import group_schema
from app.featurestore.feature_groups.models import FeatureGroup
from app.featurestore.feature_groups.registration import exists, require_stored
from app.featurestore.feature_groups.repository import FeatureGroupRepository
from app.featurestore.feature_groups.service import FeatureGroupService, InsertInfo, UpdateFeatureGroup
from app.featurestore.feature_groups.types import to_arrow
from app.featurestore.imports.commands import CREATE, ImportFiles, ImportSql, ImportTarget
from app.featurestore.imports.files import FileRows
from app.featurestore.imports.names import feature_names
from app.featurestore.imports.schemas import WantedFeature
from app.featurestore.imports.spool import FileStore, ImportLimits, spooled
from app.featurestore.jobs.handlers import Run
from infra.database.unit_of_work import Database
from infra.errors import ConflictError
from infra.ports.imports import ImportFormat
from infra.ports.tables import WriteMode
from infra.registry import Registry
from tenancy.access import Authorizer
from tenancy.actions import Action

_Open = Callable[[WantedFeature], AbstractContextManager[tuple[pa.Schema, Iterator[pa.RecordBatch]]]]


class ImportTargetDiffersError(ConflictError):
    """The group that is there is another than the one that the import would make."""

    code = "import-target-differs"
    title = "The feature group is another one"


@dataclass(frozen=True)
class _Existing:
    """The group that rows go into, as it was when the run began."""

    types: dict[str, pa.DataType]
    jobs: tuple[str, ...]


class ImportService:
    """Who calls has asked whether the run's member may launch it; what it writes is asked for again here."""

    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        groups: FeatureGroupService,
        files: FileReader,
        sql: SqlReader,
        formats: Registry[ImportFormat],
        limits: ImportLimits,
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._groups = groups
        self._files = files
        self._sql = sql
        self._formats = formats
        self._limits = limits

    def require_format(self, name: str) -> None:
        """Raises InvalidInputError listing those that there are."""
        self._formats.load(name)

    def import_files(self, run: Run, command: ImportFiles) -> dict[str, Any]:
        with self._database.read() as session:
            existing = self._existing(session, run, command)
            connector = self._files.find(session, run.project_id, command.connector)

        @contextmanager
        def opened(wanted: WantedFeature) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
            reader = self._formats.load(command.data_format)
            store = FileStore(self._limits.directory)
            try:
                yield FileRows(self._files.source(connector), command.path, reader, wanted, run.log).read(store)
            finally:
                store.close()

        return self._import(run, command, existing, opened)

    def import_sql(self, run: Run, command: ImportSql) -> dict[str, Any]:
        with self._database.read() as session:
            existing = self._existing(session, run, command)
            connector = SqlConnector.of(ConnectorRepository(session).get(run.project_id, command.connector))

        @contextmanager
        def opened(_wanted: WantedFeature) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
            run.log.progress("describing")
            schema = self._sql.describe(connector, command.query)
            names = feature_names(schema.names)
            rows = self._sql.rows(connector, command.query, schema)
            first = next(rows, None)
            # The source's types as they are now; it has told them with the first rows.
            told = first.schema if first is not None else schema
            yield pa.schema(list(zip(names, told.types, strict=True))), _renamed(first, rows, names)

        return self._import(run, command, existing, opened)

    def _import(self, run: Run, command: ImportTarget, existing: _Existing | None, opened: _Open) -> dict[str, Any]:
        done = self._committed(run, command) if existing is not None else None
        if done is not None:
            return _told(command, done)
        with opened(_wanted(command, existing)) as (schema, batches), self._spooled(schema, batches, run) as read:
            frame, rows = read
            run.log.line(f"Read {rows:,} rows with {len(schema):,} columns.")
            run.log.progress("writing", rows)
            if existing is None:
                self._groups.create(run.context, run.project, command.spec(run.job), frame)
                done = InsertInfo(rows, rows, 0, 0, CREATE)
            else:
                mode = WriteMode(command.mode)
                target = run.project, command.feature_group, command.version
                done = self._groups.insert(run.context, *target, mode, frame, is_read_again=True)
        if existing is not None:
            self._note_job(run, command, existing)
        run.log.line(f"Feature group {command.feature_group} version {command.version}: {done.rows_received:,} rows.")
        return _told(command, done)

    def _committed(self, run: Run, command: ImportTarget) -> InsertInfo | None:
        """What an earlier attempt of this run has written; the source may be another by now, or gone."""
        mode = WriteMode(command.mode)
        return self._groups.finish_insert(run.context, run.project, command.feature_group, command.version, mode)

    @contextmanager
    def _spooled(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch], run: Run) -> Iterator[tuple[Frame, int]]:
        run.log.progress("reading")
        with spooled(schema, batches, self._limits, run.log) as (frame, rows):
            yield frame, rows

    def _existing(self, session: Session, run: Run, command: ImportTarget) -> _Existing | None:
        """Asked before anything is read: nobody should wait an hour for a refusal."""
        principal = run.context.principal
        access = self._authorizer.require(session, principal, Action.FEATURE_GROUP_CREATE, run.project)
        try:
            group = FeatureGroupRepository(session).get(access.project_id, command.feature_group, command.version)
        except FeatureGroupNotFoundError:
            return None
        if command.mode == CREATE:
            raise exists(command.feature_group, command.version, command.version)
        self._authorizer.require(session, principal, Action.FEATURE_GROUP_INSERT, run.project)
        _require_same(command, require_stored(group))
        schema = group_schema(group.features)
        return _Existing(dict(zip(schema.names, schema.types, strict=True)), tuple(group.jobs))

    def _note_job(self, run: Run, command: ImportTarget, existing: _Existing) -> None:
        if run.job is None or run.job in existing.jobs:
            return
        with suppress(RevisionStaleError):  # the next run notes it
            self._groups.update(
                run.context,
                run.project,
                command.feature_group,
                command.version,
                UpdateFeatureGroup(jobs=(*existing.jobs, run.job)),
            )


def _wanted(command: ImportTarget, existing: _Existing | None) -> WantedFeature:
    """The group's types where it is there, else those that were said."""
    said = {feature.name: to_arrow(feature.type) for feature in command.features if feature.type is not None}
    return (existing.types if existing is not None else said).get


def _require_same(command: ImportTarget, group: FeatureGroup) -> None:
    """What was said of the group must be so: a key that is silently another one would update other rows."""
    asked = {
        "primary_key": (list(command.primary_key or group.primary_key), list(group.primary_key)),
        "event_time": (command.event_time or group.event_time, group.event_time),
        "partition_by": (list(command.partition_by or group.partition_by), list(group.partition_by)),
    }
    differing = [name for name, (said, there) in asked.items() if said != there]
    if differing:
        said, there = asked[differing[0]]
        raise ImportTargetDiffersError(
            f"Feature group {group.name!r} version {group.version} has {differing[0]} {there}, and the import says {said}.",
            hint="Leave it out to write into the group as it is, or import into a new version.",
        )


def _renamed(
    first: pa.RecordBatch | None, rest: Iterator[pa.RecordBatch], names: list[str]
) -> Iterator[pa.RecordBatch]:
    for batch in chain([] if first is None else [first], rest):
        yield pa.RecordBatch.from_arrays(batch.columns, names)


def _told(command: ImportTarget, done: InsertInfo) -> dict[str, Any]:
    return {"name": command.feature_group, "version": command.version, **vars(done)}
