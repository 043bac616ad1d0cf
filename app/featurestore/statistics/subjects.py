"""What statistics are about: the rows of a feature group, or of a training dataset."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias
from uuid import UUID

import pyarrow as pa
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.featurestore.feature_groups.infos import group_schema
from app.featurestore.feature_groups.models import CACHED, FeatureGroup
from app.featurestore.feature_groups.registration import require_stored
from app.featurestore.feature_groups.repository import FeatureGroupRepository
from infra.ports.engine import BatchStream, EngineQuery, QueryEngine
from infra.ports.tables import Snapshot, TableStore
from tenancy.actions import Action

FEATURE_GROUP, TRAINING_DATASET = "feature_group", "training_dataset"


@dataclass(frozen=True)
class SubjectRef:
    """How somebody names it."""

    kind: str
    name: str
    version: int


@dataclass(frozen=True)
class Subject:
    """As it was found. `options` are those that it was made with; None: all."""

    kind: str
    id: UUID
    project_id: UUID
    name: str
    version: int
    options: dict[str, Any] | None

    @property
    def run_subject(self) -> str:
        return run_subject(self.kind, self.id)


@dataclass(frozen=True)
class Scan:
    """Implements the maths' `RowScan`. `state` says which state of the subject the rows are."""

    schema: pa.Schema
    rows: int | None
    state: int
    read: Callable[[Sequence[str]], Iterator[pa.RecordBatch]]

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return self.read(columns)


OpenScan: TypeAlias = Callable[[], Scan]
"""The rows as they are when it is called."""


class SubjectKind(Protocol):
    """One of the two. What it takes to read the statistics of one (`reads`), and to have them computed (`updates`)."""

    reads: Action
    updates: Action

    def get(self, session: Session, project_id: UUID, ref: SubjectRef) -> Subject: ...

    def find(self, session: Session, project_id: UUID, subject_id: UUID) -> Subject | None: ...

    def hold(self, session: Session, subject: Subject) -> bool:
        """Whether it is still there; then nobody deletes it before the transaction is over."""

    def schema(self, session: Session, subject: Subject) -> pa.Schema: ...

    def rows(self, session: Session, subject: Subject) -> OpenScan:
        """To be opened when the session is over: that looks at the warehouse, for which no connection should have to wait."""


def run_subject(kind: str, subject_id: UUID) -> str:
    return f"{kind.replace('_', '-')}:{subject_id}"


class FeatureGroupSubjects:
    reads = Action.FEATURE_GROUP_READ_ROWS
    updates = Action.FEATURE_GROUP_UPDATE

    def __init__(self, *, tables: TableStore, engine: QueryEngine) -> None:
        self._tables = tables
        self._engine = engine

    def get(self, session: Session, project_id: UUID, ref: SubjectRef) -> Subject:
        return _of_group(require_stored(FeatureGroupRepository(session).get(project_id, ref.name, ref.version)))

    def find(self, session: Session, project_id: UUID, subject_id: UUID) -> Subject | None:
        group = self._find(session, project_id, subject_id)
        return None if group is None or group.kind != CACHED else _of_group(group)

    def hold(self, session: Session, subject: Subject) -> bool:
        return (
            session.scalar(select(FeatureGroup.id).where(FeatureGroup.id == subject.id).with_for_update()) is not None
        )

    def schema(self, session: Session, subject: Subject) -> pa.Schema:
        return group_schema(self._get(session, subject).features)

    def rows(self, session: Session, subject: Subject) -> OpenScan:
        group = self._get(session, subject)
        schema, location = group_schema(group.features), group.location

        def opened() -> Scan:
            snapshot = replace(self._tables.snapshot(location), schema=schema)
            counts = [file.rows for file in snapshot.files]
            rows = None if None in counts else sum(count for count in counts if count is not None)
            return Scan(schema, rows, snapshot.version, lambda columns: self._read(snapshot, columns, subject))

        return opened

    def _get(self, session: Session, subject: Subject) -> FeatureGroup:
        group = self._find(session, subject.project_id, subject.id)
        assert group is not None
        return group

    def _find(self, session: Session, project_id: UUID, subject_id: UUID) -> FeatureGroup | None:
        found = FeatureGroup.project_id == project_id, FeatureGroup.id == subject_id
        return session.scalar(select(FeatureGroup).where(*found))

    def _read(self, snapshot: Snapshot, columns: Sequence[str], subject: Subject) -> Iterator[pa.RecordBatch]:
        names = ", ".join('"' + name.replace('"', '""') + '"' for name in columns)
        schema = pa.schema([snapshot.schema.field(name) for name in columns])
        query = EngineQuery(f"SELECT {names} FROM t", {"t": snapshot}, schema, asker=str(subject.project_id))  # noqa: S608 names are quoted
        running: AbstractContextManager[BatchStream] = self._engine.execute(query)
        with running as stream:
            yield from stream


def _of_group(group: FeatureGroup) -> Subject:
    return Subject(FEATURE_GROUP, group.id, group.project_id, group.name, group.version, group.statistics)
