"""Use cases around feature groups."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.featurestore.feature_groups.conform import ConformedFrame, conform
from app.featurestore.feature_groups.errors import (
    FeatureGroupNotFoundError,
    RevisionStaleError,
    TagNotFoundError,
)
from app.featurestore.feature_groups.followers import GroupFollower
from app.featurestore.feature_groups.frames import Frame
from app.featurestore.feature_groups.infos import FeatureGroupInfo, group_schema
from app.featurestore.feature_groups.inspection import Admission, Inspection, RowInspector
from app.featurestore.feature_groups.models import FeatureGroup, Tag
from app.featurestore.feature_groups.registration import (
    Registration,
    exists,
    new_group,
    require_free,
    require_stored,
    require_valid_names,
)
from app.featurestore.feature_groups.repository import FeatureGroupRepository
from app.featurestore.feature_groups.rules import (
    GroupSpec,
    require_roles,
    resolve_features,
)
from app.featurestore.locations.models import LocationState
from app.featurestore.locations.service import Locations
from infra.clock import Clock
from infra.database.idempotency import IdempotencyLedger
from infra.database.paging import Page, PageRequest, paginate
from infra.database.unit_of_work import Database, UnitOfWork
from infra.errors import InvalidInputError
from infra.ids import IdFactory
from infra.ports.tables import Author, Commit, TableStore, Write, WriteMode
from tenancy.access import Access, Authorizer, require_creator_or_owner
from tenancy.actions import Action
from tenancy.audit.service import AuditLog
from tenancy.names import require_name
from tenancy.principals import RequestContext


@dataclass(frozen=True)
class UpdateFeatureGroup:
    """What is None stays as it is. `feature_descriptions` by feature name."""

    description: str | None = None
    feature_descriptions: dict[str, str] | None = None
    jobs: tuple[str, ...] | None = None
    statistics: dict[str, Any] | None = None


@dataclass(frozen=True)
class InsertInfo:
    rows_received: int
    rows_inserted: int
    rows_updated: int
    table_version: int
    mode: str
    # What the group's rules made of the rows; None: it has none.
    validation: dict[str, Any] | None = None


class FeatureGroupService:
    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        audit: AuditLog,
        tables: TableStore,
        locations: Locations,
        ledger: IdempotencyLedger,
        clock: Clock,
        ids: IdFactory,
        follower: GroupFollower,
        inspector: RowInspector,
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._audit = audit
        self._tables = tables
        self._locations = locations
        self._ledger = ledger
        self._follower = follower
        self._inspector = inspector
        self._clock = clock
        self._ids = ids

    def create(
        self, context: RequestContext, project: str, spec: GroupSpec, frame: Frame | None = None
    ) -> FeatureGroupInfo:
        """Make a group, empty or with the rows of its first frame; either all of it exists afterwards or nothing."""
        access = self._require_free(context, project, spec)
        features = resolve_features(spec, frame.schema if frame else None)
        primary_key = require_roles(spec, features)
        schema = group_schema(features)
        self._follower.require_statistics(spec.statistics, schema)
        expectations = self._inspector.accept(spec.expectations, schema)
        rows = conform(frame, schema) if frame else None
        admission = self._inspector.admit(context, Inspection(access.project_id, None, expectations), rows)
        location = self._locations.claim(access.project_id)
        try:
            reader, author = rows.reader if rows else None, author_of(context)
            self._tables.create(location, schema, partition_by=spec.partition_by, rows=reader, author=author)
            with self._database.write() as uow:
                made = Registration(access.project_id, context.principal.name, self._clock.now(), location)
                resolved = replace(spec, primary_key=primary_key, expectations=expectations)
                group = new_group(made, resolved, features, self._ids)
                self._add(uow, context, group, rows)
                admission.keep(uow.session, group, 0)
                if rows is not None and rows.rows > 0:
                    self._follower.group_written(uow.session, group, context.principal.name)
                info = FeatureGroupInfo.of(group)
                context.remember(uow.session, info)
                uow.commit()
        except Exception:
            self._locations.abandon(location)
            raise
        return info

    def get(self, context: RequestContext, project: str, name: str, version: int) -> FeatureGroupInfo:
        with self._database.read() as session:
            group = self._load(session, context, Action.FEATURE_GROUP_READ, project, name, version)
            info, location = FeatureGroupInfo.of(group), group.location
        return replace(info, table_version=self._tables.version(location)) if location else info

    def list_feature_groups(
        self, context: RequestContext, project: str, page: PageRequest, name: str | None = None
    ) -> Page[FeatureGroupInfo]:
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.FEATURE_GROUP_READ, project)
            query = FeatureGroupRepository(session).of_project(access.project_id, name)
            return paginate(session, query, page, [FeatureGroup.name, FeatureGroup.version]).map(FeatureGroupInfo.of)

    def update(
        self,
        context: RequestContext,
        project: str,
        name: str,
        version: int,
        command: UpdateFeatureGroup,
        expected_revision: int | None = None,
    ) -> FeatureGroupInfo:
        with self._database.write() as uow:
            group = self._load(uow.session, context, Action.FEATURE_GROUP_UPDATE, project, name, version)
            if expected_revision not in (None, group.revision):
                raise RevisionStaleError(f"The feature group is at revision {group.revision}, not {expected_revision}.")
            self._follower.require_statistics(command.statistics, group_schema(group.features))
            _apply(group, command)
            self._finish_update(uow, context, group)
            return FeatureGroupInfo.of(group)

    def set_tag(self, context: RequestContext, project: str, name: str, version: int, tag: str, value: str) -> None:
        require_name(tag, "tag")
        with self._database.write() as uow:
            group = self._load(uow.session, context, Action.FEATURE_GROUP_UPDATE, project, name, version)
            known = {known.name: known for known in group.tags}
            if tag in known:
                known[tag].value = value
            else:
                group.tags.append(Tag(name=tag, value=value))
            self._finish_update(uow, context, group)

    def remove_tag(self, context: RequestContext, project: str, name: str, version: int, tag: str) -> None:
        with self._database.write() as uow:
            group = self._load(uow.session, context, Action.FEATURE_GROUP_UPDATE, project, name, version)
            kept = [known for known in group.tags if known.name != tag]
            if len(kept) == len(group.tags):
                raise TagNotFoundError(
                    f"The feature group has no tag {tag[:80]!r}.", candidates=[known.name for known in kept]
                )
            group.tags = kept
            self._finish_update(uow, context, group)

    def delete(self, context: RequestContext, project: str, name: str, version: int) -> None:
        """The name is free at once; the bytes are removed afterwards, and again at start-up if that failed."""
        with self._database.write() as uow:
            group = self._load(uow.session, context, Action.FEATURE_GROUP_DELETE, project, name, version)
            require_creator_or_owner(context.principal, group.created_by)
            has_table = bool(group.location)
            if has_table:
                self._locations.mark(uow.session, group.location, LocationState.DOOMED)
            uow.session.delete(group)
            # First, so that whoever writes about it at this moment has ended, and what they wrote is found.
            uow.session.flush()
            self._follower.group_deleted(uow.session, group)
            self._record(uow, context, Action.FEATURE_GROUP_DELETE, group)
            uow.commit()
        if has_table:
            self._locations.purge()

    def insert(
        self,
        context: RequestContext,
        project: str,
        name: str,
        version: int,
        mode: WriteMode,
        frame: Frame,
        *,
        is_read_again: bool = False,
    ) -> InsertInfo:
        """Write a frame once, however often the request comes; acknowledged means committed.

        `is_read_again`: every attempt reads the frame anew, and asks `finish_insert` first.
        """
        with self._database.read() as session:
            group = require_stored(self._load(session, context, Action.FEATURE_GROUP_INSERT, project, name, version))
            schema, location, keys = group_schema(group.features), group.location, group.row_key
            inspection = Inspection(group.project_id, group.id, group.expectations, is_read_again)
        rows = conform(frame, schema)
        admission = self._inspector.admit(context, inspection, rows)
        commit = self._commit(context, location, mode, rows, keys)
        counts = rows.rows, commit.rows_inserted, commit.rows_updated
        info = InsertInfo(*counts, commit.version, mode.value, admission.summary)
        return self._note_insert(context, project, name, version, location, info, admission)

    def finish_insert(
        self, context: RequestContext, project: str, name: str, version: int, mode: WriteMode
    ) -> InsertInfo | None:
        """End an insert of which an earlier attempt has committed the rows and nothing more; None where none has.

        For those whose rows may be others by now, or gone: `insert` finds the commit as well, but asks for the rows first.
        What the group's rules made of the rows is what that attempt has kept.
        """
        pinned = self._ledger.find_pin(context.claim_id) if context.claim_id is not None else None
        if pinned is None:
            return None
        with self._database.read() as session:
            group = require_stored(self._load(session, context, Action.FEATURE_GROUP_INSERT, project, name, version))
            location, inspection = group.location, Inspection(group.project_id, group.id, group.expectations)
        commit = self._tables.find_commit(location, str(context.claim_id), pinned)
        if commit is None:
            return None
        rows = commit.rows_inserted + commit.rows_updated
        admission = self._inspector.admitted(context, inspection)
        counts = rows, commit.rows_inserted, commit.rows_updated
        info = InsertInfo(*counts, commit.version, mode.value, admission.summary)
        return self._note_insert(context, project, name, version, location, info, admission)

    def list_partitions(
        self, context: RequestContext, project: str, name: str, version: int
    ) -> list[dict[str, str | None]]:
        """Each combination of partition values that has rows, in order; a null value is None."""
        with self._database.read() as session:
            group = require_stored(self._load(session, context, Action.FEATURE_GROUP_READ_ROWS, project, name, version))
            location, columns = group.location, group.partition_by
        if not columns:
            raise InvalidInputError(f"Feature group {name!r} version {version} has no partitions.")
        found = {tuple(file.partition[column] for column in columns) for file in self._tables.snapshot(location).files}
        ordered = sorted(found, key=lambda values: [(value is None, value or "") for value in values])
        return [dict(zip(columns, values, strict=True)) for values in ordered]

    def _note_insert(
        self,
        context: RequestContext,
        project: str,
        name: str,
        version: int,
        location: str,
        info: InsertInfo,
        admission: Admission,
    ) -> InsertInfo:
        try:
            with self._database.write() as uow:
                group = self._load(uow.session, context, Action.FEATURE_GROUP_INSERT, project, name, version)
                FeatureGroupRepository(uow.session).note_table_version(group, info.table_version)
                admission.keep(uow.session, group, info.table_version)
                self._follower.group_written(uow.session, group, context.principal.name)
                detail = {"mode": info.mode, "rows": info.rows_received}
                self._record(uow, context, Action.FEATURE_GROUP_INSERT, group, **detail)
                context.remember(uow.session, info)
                uow.commit()
        except FeatureGroupNotFoundError:
            # Deleted, and its bytes removed, while these rows were written: they must not stay behind.
            self._locations.remove(location)
            raise
        return info

    def _commit(
        self, context: RequestContext, location: str, mode: WriteMode, rows: ConformedFrame, keys: Sequence[str]
    ) -> Commit:
        since = self._tables.version(location)
        if mode is WriteMode.UPSERT and rows.rows == 0:
            return Commit(since, 0, 0)
        if context.claim_id is not None:
            since = self._ledger.pin(context.claim_id, since)
        request_id = str(context.claim_id or self._ids())
        return self._tables.write(location, Write(mode, rows.reader, request_id, since, keys, author_of(context)))

    def _require_free(self, context: RequestContext, project: str, spec: GroupSpec) -> Access:
        require_valid_names(spec)
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.FEATURE_GROUP_CREATE, project)
            require_free(session, access.project_id, spec)
        return access

    def _add(self, uow: UnitOfWork, context: RequestContext, group: FeatureGroup, rows: ConformedFrame | None) -> None:
        uow.session.add(group)
        uow.flush_or(exists(group.name, group.version, group.version))
        self._locations.mark(uow.session, group.location, LocationState.LIVE)
        self._record(uow, context, Action.FEATURE_GROUP_CREATE, group, rows=rows.rows if rows else 0)

    def _load(
        self, session: Session, context: RequestContext, action: Action, project: str, name: str, version: int
    ) -> FeatureGroup:
        access = self._authorizer.require(session, context.principal, action, project)
        return FeatureGroupRepository(session).get(access.project_id, name, version)

    def _finish_update(self, uow: UnitOfWork, context: RequestContext, group: FeatureGroup) -> None:
        group.updated_at = self._clock.now()
        self._record(uow, context, Action.FEATURE_GROUP_UPDATE, group)
        commit_revision(uow)

    def _record(
        self, uow: UnitOfWork, context: RequestContext, action: Action, group: FeatureGroup, **detail: Any
    ) -> None:
        subject = f"{group.name} version {group.version}"
        self._audit.record(uow.session, context, action, project_id=group.project_id, subject=subject, **detail)


def _apply(group: FeatureGroup, command: UpdateFeatureGroup) -> None:
    if command.description is not None:
        group.description = command.description
    if command.jobs is not None:
        group.jobs = list(command.jobs)
    if command.statistics is not None:
        group.statistics = command.statistics
    features = {feature.name: feature for feature in group.features}
    for name, description in (command.feature_descriptions or {}).items():
        if name not in features:
            raise InvalidInputError(f"The group has no feature {name[:80]!r}.", candidates=list(features)[:20])
        features[name].description = description


def author_of(context: RequestContext) -> Author:
    """Who will be shown as having made a commit."""
    return Author(context.principal.name, context.principal.key_id)


def commit_revision(uow: UnitOfWork) -> None:
    """Commit, or say that somebody else changed the group since it was loaded."""
    try:
        uow.commit()
    except StaleDataError as error:
        raise RevisionStaleError("Somebody else changed the feature group meanwhile; read it again.") from error
