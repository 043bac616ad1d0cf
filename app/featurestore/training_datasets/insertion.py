"""Other rows into a training dataset that is there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from sqlalchemy.orm.exc import StaleDataError

from app.featurestore.feature_groups.conform import ConformedFrame, conform
from app.featurestore.feature_groups.errors import SchemaMismatchError
from app.featurestore.feature_groups.frames import Frame
from app.featurestore.locations.models import LocationState
from app.featurestore.locations.service import Locations
from app.featurestore.training_datasets.files import DatasetFiles
from app.featurestore.training_datasets.followers import DatasetFollower
from app.featurestore.training_datasets.infos import InsertMode, TrainingDatasetInfo
from app.featurestore.training_datasets.models import TrainingDataset
from app.featurestore.training_datasets.places import DatasetPlaces
from app.featurestore.training_datasets.reading import TrainingDatasetReading, changed, schema_of
from app.featurestore.training_datasets.rows import Rows
from app.featurestore.training_datasets.splits import TIME, Splits
from app.featurestore.training_datasets.writing import (
    Form,
    Write,
    extended_manifest,
    replaced_manifest,
    size_of,
    write_rows,
)
from infra.clock import Clock
from infra.database.unit_of_work import Database, UnitOfWork
from infra.errors import InvalidInputError, NotFoundError, StorageUnavailableError
from infra.ports.formats import DataFormat
from infra.registry import Registry
from tenancy.access import Authorizer, require_creator_or_owner
from tenancy.actions import Action
from tenancy.audit.service import AuditLog
from tenancy.principals import RequestContext


class TrainingDatasetInsertion(TrainingDatasetReading):
    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        audit: AuditLog,
        places: DatasetPlaces,
        locations: Locations,
        formats: Registry[DataFormat],
        clock: Clock,
        follower: DatasetFollower,
    ) -> None:
        super().__init__(database=database, authorizer=authorizer, places=places, formats=formats)
        self._audit = audit
        self._locations = locations
        self._clock = clock
        self._follower = follower

    def insert(
        self, context: RequestContext, project: str, name: str, version: int, mode: InsertMode, frame: Frame
    ) -> TrainingDatasetInfo:
        """Write the new rows beside copies of those that stay, then let the dataset be that: readers see either.

        Files that stay are copied, though rows alone would come cheaper: a dataset is one folder that never changes, so
        that whoever reads the folder itself never meets rows that are not there yet, or misses some that lie elsewhere.
        """
        with self._database.read() as session:
            access, dataset = self._load(session, context, Action.TRAINING_DATASET_CREATE, project, name, version)
            require_creator_or_owner(context.principal, dataset.created_by)
            _require_here(dataset)
            before, old = dataset.location, dataset.manifest
        form = self._form_of(old)
        if mode is InsertMode.APPEND:
            _require_appendable(form.splits)
        schema = schema_of(old)
        rows = Rows(schema, iter(_fitting(frame, schema).reader()))
        location = self._locations.claim(access.project_id)
        try:
            with self._gone_as_changed(context, project, name, version, before):
                manifest = self._insert(
                    context, rows, form, mode, old, self._places.at(before), self._places.at(location)
                )
            with self._database.write() as uow:
                _, dataset = self._load(uow.session, context, Action.TRAINING_DATASET_CREATE, project, name, version)
                require_creator_or_owner(context.principal, dataset.created_by)
                _require_at(dataset, before)
                self._move(uow, dataset, manifest, location)
                self._follower.dataset_written(uow.session, dataset, context.principal.name)
                self._record(uow, context, Action.TRAINING_DATASET_CREATE, dataset)
                info = self._info(dataset)
                context.remember(uow.session, info)
                uow.commit()
        except Exception:
            self._locations.abandon(location)
            raise
        self._locations.purge()
        return info

    @contextmanager
    def _gone_as_changed(
        self, context: RequestContext, project: str, name: str, version: int, location: str
    ) -> Iterator[None]:
        """Who wrote first also took the old files away: that they are missing is not what is to be said."""
        try:
            yield
        except (NotFoundError, StorageUnavailableError) as error:
            with self._database.read() as session:
                _, dataset = self._load(session, context, Action.TRAINING_DATASET_CREATE, project, name, version)
                if dataset.location != location:
                    raise changed(name, version) from error
            raise

    def _insert(
        self,
        context: RequestContext,
        rows: Rows,
        form: Form,
        mode: InsertMode,
        old: dict[str, Any],
        before: DatasetFiles,
        after: DatasetFiles,
    ) -> dict[str, Any]:
        write = Write(
            self._clock.now().isoformat(), context.principal.name, mode.value, max(1, len(old.get("writes", ())))
        )
        if mode is InsertMode.OVERWRITE:
            manifest = replaced_manifest(old, write_rows(after, rows, form, write))
        else:
            after.copy_from(before, old["files"])
            manifest = extended_manifest(old, write_rows(after, rows, form, write, old))
        after.write_manifest(manifest)
        return manifest

    def _form_of(self, manifest: dict[str, Any]) -> Form:
        recorded = manifest.get("splits")
        splits = None if recorded is None else Splits(**{**recorded, "columns": tuple(recorded["columns"])})
        data_format = self._formats.load(manifest["data_format"])
        return Form(data_format, splits, tuple(manifest.get("labels", ())), manifest.get("fixed", True))

    def _move(self, uow: UnitOfWork, dataset: TrainingDataset, manifest: dict[str, Any], location: str) -> None:
        """The same dataset at another place, unless somebody else moved it first."""
        self._locations.mark(uow.session, dataset.location, LocationState.DOOMED)
        self._locations.mark(uow.session, location, LocationState.LIVE)
        overtaken = changed(dataset.name, dataset.version)  # made now: after a failed flush nothing can be asked of it
        dataset.location, dataset.manifest = location, manifest
        dataset.rows, dataset.bytes = manifest["rows"], size_of(manifest)
        try:
            uow.session.flush()
        except StaleDataError as error:
            raise overtaken from error

    def _record(self, uow: UnitOfWork, context: RequestContext, action: Action, dataset: TrainingDataset) -> None:
        self._audit.record(
            uow.session,
            context,
            action,
            project_id=dataset.project_id,
            subject=f"{dataset.name} version {dataset.version}",
            rows=dataset.rows,
        )


def _require_here(dataset: TrainingDataset) -> None:
    if dataset.connector_id is not None:
        raise InvalidInputError(
            f"The files of {dataset.name!r} version {dataset.version} are in a bucket of your own, and stay as they are.",
            hint="Make a new version, or overwrite it at another path.",
        )


def _require_at(dataset: TrainingDataset, location: str) -> None:
    """What was written fits the rows that were there when it began, and no others."""
    if dataset.location != location:
        raise changed(dataset.name, dataset.version)


def _fitting(frame: Frame, schema: pa.Schema) -> ConformedFrame:
    try:
        return conform(frame, schema)
    except SchemaMismatchError as error:
        error.hint = "Columns are matched by name. Cast or rename them, or make a new version of the training dataset."
        raise


def _require_appendable(splits: Splits | None) -> None:
    if splits is not None and splits.by == TIME:
        raise InvalidInputError(
            "The training dataset is split by time, and later rows would be earlier than some of its last split.",
            hint="Overwrite its rows, or make a new version from all of them.",
        )
