"""Use cases around what a feature group was before: its commits, and features that came later."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from app.featurestore.feature_groups.errors import FeatureExistsError, FeatureGroupNotFoundError, RevisionStaleError
from app.featurestore.feature_groups.infos import FeatureGroupInfo, group_schema
from app.featurestore.feature_groups.models import Feature, FeatureGroup
from app.featurestore.feature_groups.registration import require_stored
from app.featurestore.feature_groups.repository import FeatureGroupRepository
from app.featurestore.feature_groups.rules import (
    MAX_FEATURES,
    FeatureSpec,
    GroupSpec,
    ResolvedFeature,
    resolve_features,
)
from app.featurestore.feature_groups.service import author_of, commit_revision
from app.featurestore.locations.service import Locations
from infra.clock import Clock
from infra.database.unit_of_work import Database, UnitOfWork
from infra.errors import InvalidInputError
from infra.ids import IdFactory
from infra.ports.tables import LoggedCommit, TableStore
from tenancy.access import Access, Authorizer
from tenancy.actions import Action
from tenancy.audit.service import AuditLog
from tenancy.principals import RequestContext

_ATTEMPTS = 5


@dataclass(frozen=True)
class CommitInfo:
    """Counts are None where the log does not tell them; `member` and `key_id` are for the group's own project only."""

    version: int
    committed_at: datetime
    operation: str
    rows_inserted: int | None
    rows_updated: int | None
    rows_deleted: int | None
    member: str | None
    key_id: str | None

    @classmethod
    def of(cls, commit: LoggedCommit, *, names_people: bool) -> "CommitInfo":
        author = commit.author if names_people else None
        return cls(
            version=commit.version,
            committed_at=commit.committed_at,
            operation=commit.operation,
            rows_inserted=commit.rows_inserted,
            rows_updated=commit.rows_updated,
            rows_deleted=commit.rows_deleted,
            member=author.member if author else None,
            key_id=author.key_id if author else None,
        )


class FeatureGroupHistoryService:
    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        audit: AuditLog,
        tables: TableStore,
        locations: Locations,
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._audit = audit
        self._tables = tables
        self._locations = locations
        self._clock = clock
        self._ids = ids

    def list_commits(self, context: RequestContext, project: str, name: str, version: int) -> list[CommitInfo]:
        """The newest first."""
        with self._database.read() as session:
            access, group = self._load(session, context, Action.FEATURE_GROUP_READ, project, name, version)
            location = group.location
        is_own = access.project_id == context.principal.project_id
        return [CommitInfo.of(commit, names_people=is_own) for commit in self._tables.commits(location)]

    def append_features(
        self,
        context: RequestContext,
        project: str,
        name: str,
        version: int,
        features: Sequence[FeatureSpec],
        expected_revision: int | None = None,
    ) -> FeatureGroupInfo:
        """Append features that are null in all rows so far. Repeated, it finishes what broke off or changes nothing."""
        with self._database.read() as session:
            _, group = self._load(session, context, Action.FEATURE_GROUP_UPDATE, project, name, version)
            resolved = resolve_features(GroupSpec(name, features=tuple(features)), None)
            missing = _require_appendable(group, resolved)
            if not missing:
                return FeatureGroupInfo.of(group)
            if expected_revision not in (None, group.revision):
                raise RevisionStaleError(f"The feature group is at revision {group.revision}, not {expected_revision}.")
            location = group.location
        # The table first: a column that no feature names yet can be given to one by a repetition, whereas a feature
        # without its column would break every read.
        table_version = self._tables.add_columns(location, group_schema(missing), author_of(context))
        try:
            # The columns are there: nothing that others change meanwhile is in the way of describing them.
            for _ in range(_ATTEMPTS - 1):
                with suppress(RevisionStaleError):
                    return self._describe(context, project, name, version, resolved, table_version)
            return self._describe(context, project, name, version, resolved, table_version)
        except FeatureGroupNotFoundError:
            # Deleted, and its bytes removed, while its table grew: the log entry must not stay behind.
            self._locations.remove(location)
            raise

    def _describe(
        self,
        context: RequestContext,
        project: str,
        name: str,
        version: int,
        resolved: Sequence[ResolvedFeature],
        table_version: int,
    ) -> FeatureGroupInfo:
        with self._database.write() as uow:
            _, group = self._load(uow.session, context, Action.FEATURE_GROUP_UPDATE, project, name, version)
            FeatureGroupRepository(uow.session).note_table_version(group, table_version)
            if missing := _require_appendable(group, resolved):
                self._append(uow, context, group, missing)
            return replace(FeatureGroupInfo.of(group), table_version=max(group.table_version, table_version))

    def _append(
        self, uow: UnitOfWork, context: RequestContext, group: FeatureGroup, features: Sequence[ResolvedFeature]
    ) -> None:
        first = len(group.features)
        group.features.extend(
            Feature(
                id=self._ids(),
                position=first + index,
                name=feature.name,
                type=feature.type,
                description=feature.description,
            )
            for index, feature in enumerate(features)
        )
        group.updated_at = self._clock.now()
        self._audit.record(
            uow.session,
            context,
            Action.FEATURE_GROUP_UPDATE,
            project_id=group.project_id,
            subject=f"{group.name} version {group.version}",
            features=[feature.name for feature in features],
        )
        commit_revision(uow)

    def _load(
        self, session: Session, context: RequestContext, action: Action, project: str, name: str, version: int
    ) -> tuple[Access, FeatureGroup]:
        access = self._authorizer.require(session, context.principal, action, project)
        return access, require_stored(FeatureGroupRepository(session).get(access.project_id, name, version))


def _require_appendable(group: FeatureGroup, features: Sequence[ResolvedFeature]) -> list[ResolvedFeature]:
    """Those that the group lacks; raises FeatureExistsError where it has one of another type."""
    known = {feature.name: feature.type for feature in group.features}
    clashes = [feature for feature in features if known.get(feature.name, feature.type) != feature.type]
    if clashes:
        first = clashes[0]
        raise FeatureExistsError(
            f"Feature {first.name!r} is there as {known[first.name]}, not {first.type}.",
            hint="Features can only be appended; anything else is a new version of the feature group.",
            errors=[
                {"field": each.name, "message": "has another type", "expected": known[each.name], "received": each.type}
                for each in clashes
            ],
        )
    missing = [feature for feature in features if feature.name not in known]
    if len(known) + len(missing) > MAX_FEATURES:
        raise InvalidInputError(f"A feature group has 1 to {MAX_FEATURES} features, not {len(known) + len(missing)}.")
    return missing
