"""Feature groups whose rows stay in another database: a query there, run whenever they are read."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from uuid import UUID

import pyarrow as pa

from app.featurestore.connectors.errors import ConnectorNotFoundError
from app.featurestore.connectors.repository import ConnectorRepository
from app.featurestore.connectors.sql import SqlConnector, SqlReader
from app.featurestore.feature_groups.conform import conformed, find_offences
from app.featurestore.feature_groups.errors import SchemaMismatchError
from app.featurestore.feature_groups.infos import FeatureGroupInfo, group_schema
from app.featurestore.feature_groups.models import ON_DEMAND, FeatureGroup
from app.featurestore.feature_groups.registration import (
    Registration,
    exists,
    new_group,
    require_free,
    require_valid_names,
)
from app.featurestore.feature_groups.repository import FeatureGroupRepository
from app.featurestore.feature_groups.rules import GroupSpec, ResolvedFeature, require_roles, resolve_features
from infra.clock import Clock
from infra.database.unit_of_work import Database
from infra.errors import InvalidInputError, NotFoundError
from infra.ids import IdFactory
from infra.ports.engine import Rows
from infra.ports.secrets import SecretAccessDeniedError, SecretNotFoundError, SecretRefInvalidError
from infra.ports.sources import (
    SourceAddressRefusedError,
    SourceLoginRefusedError,
    SourceUnreachableError,
    SourceValueError,
)
from tenancy.access import Access, Authorizer
from tenancy.actions import Action
from tenancy.audit.service import AuditLog
from tenancy.principals import RequestContext

MAX_QUERY = 11_000


@dataclass(frozen=True)
class CreateOnDemand:
    """`spec.features` may describe columns of the query; their names and types come from the source."""

    spec: GroupSpec
    connector: str
    query: str


@dataclass(frozen=True)
class OnDemandInfo:
    """What a group on demand asks, and where. For members of its own project, whatever is shared."""

    connector: str
    query: str


class OnDemandService:
    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        audit: AuditLog,
        reader: SqlReader,
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._audit = audit
        self._reader = reader
        self._clock = clock
        self._ids = ids

    def create(self, context: RequestContext, project: str, command: CreateOnDemand) -> FeatureGroupInfo:
        """Ask the source for the columns, then make the group; its rows are not read."""
        _require_valid(command)
        access, connector_id, connector = self._find_connector(context, project, command)
        features = _features(command.spec, self._reader.describe(connector, command.query))
        spec = replace(command.spec, primary_key=require_roles(command.spec, features))
        made = Registration(access.project_id, context.principal.name, self._clock.now(), kind=ON_DEMAND)
        with self._database.write() as uow:
            group = new_group(made, spec, features, self._ids)
            group.query, group.connector_id = command.query, connector_id
            ConnectorRepository(uow.session).get_by_id(access.project_id, connector_id)
            uow.session.add(group)
            uow.flush_or(exists(spec.name, spec.version, spec.version))
            self._audit.record(
                uow.session,
                context,
                Action.FEATURE_GROUP_CREATE,
                project_id=access.project_id,
                subject=f"{group.name} version {group.version}",
                connector=command.connector,
            )
            info = FeatureGroupInfo.of(group)
            context.remember(uow.session, info)
            uow.commit()
        return info

    def get_source(self, context: RequestContext, project: str, name: str, version: int) -> OnDemandInfo:
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.CONNECTOR_READ, project)
            group = FeatureGroupRepository(session).get(access.project_id, name, version)
            if group.connector_id is None or group.query is None:
                raise NotFoundError(f"Feature group {name!r} version {version} is not on demand; its rows are here.")
            connector = ConnectorRepository(session).get_by_id(access.project_id, group.connector_id)
            return OnDemandInfo(connector.name, group.query)

    def _find_connector(
        self, context: RequestContext, project: str, command: CreateOnDemand
    ) -> tuple[Access, UUID, SqlConnector]:
        """A connector of the project itself: nobody's credentials serve another project's groups."""
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.FEATURE_GROUP_CREATE, project)
            require_free(session, access.project_id, command.spec)
            connector = ConnectorRepository(session).get(access.project_id, command.connector)
            return access, connector.id, SqlConnector.of(connector)


@dataclass(frozen=True)
class _Run:
    """What reading a group takes, apart from any session: each run connects anew."""

    title: str
    project: str
    project_id: UUID
    connector_id: UUID
    query: str
    schema: pa.Schema
    limit: int | None


class OnDemandSources:
    """The rows of groups on demand, for the planner. Whether the caller may read them was asked before."""

    def __init__(self, *, reader: SqlReader) -> None:
        self._reader = reader

    def table(self, group: FeatureGroup, columns: Sequence[str], limit: int | None = None) -> Rows:
        """The named features, of at most the first `limit` rows. Each call of `batches()` is one run at the source.

        `batches()` raises what fails before the first rows: SourceUnreachableError, SourceLoginRefusedError,
        SourceQueryRefusedError, EngineLimitError, SourceValueError; none of them tells more of the connector than that.
        """
        assert group.connector_id is not None, "asked of a group on demand"
        assert group.query is not None, "asked of a group on demand"
        features = {feature.name: feature for feature in group.features}
        names = list(dict.fromkeys(columns)) or [group.features[0].name]
        run = _Run(
            title=f"{group.name} version {group.version}",
            project=group.project.name,
            project_id=group.project_id,
            connector_id=group.connector_id,
            query=group.query,
            schema=group_schema([features[name] for name in names]),
            limit=limit,
        )
        return Rows(run.schema, partial(self._open, run))

    def _open(self, run: _Run) -> pa.RecordBatchReader:
        batches = self._batches(run)
        # The first batch now: what is wrong with the source must be known before an answer begins.
        first = next(batches, None)
        return pa.RecordBatchReader.from_batches(run.schema, batches if first is None else chain([first], batches))

    def _batches(self, run: _Run) -> Iterator[pa.RecordBatch]:
        with _told_apart_from_the_connector(run):
            connector = self._reader.find(run.project_id, run.connector_id)
            received = self._reader.rows(connector, run.query, run.schema, run.limit)
            yield from conformed(_checked(received, run), run.schema)


def _require_valid(command: CreateOnDemand) -> None:
    require_valid_names(command.spec)
    if not command.query.strip():
        raise InvalidInputError("An on-demand feature group needs a query.")
    if len(command.query) > MAX_QUERY:
        raise InvalidInputError(
            f"The query has {len(command.query):,} characters; {MAX_QUERY:,} is the most.",
            hint="Make a view of it at the source.",
        )
    if command.spec.partition_by:
        raise InvalidInputError("An on-demand feature group has no partitions; partition the table at the source.")


def _features(spec: GroupSpec, found: pa.Schema) -> list[ResolvedFeature]:
    twice = [name for name in found.names if found.names.count(name) > 1]
    if twice:
        raise InvalidInputError(
            f"The query gives more than one column {twice[0][:80]!r}.", hint="Name them apart: AS …"
        )
    features = resolve_features(spec, found)
    offences = find_offences(found, group_schema(features))
    if offences:
        raise InvalidInputError(
            f"Some features are said to be of another type than at the source: {_named(offences)}.",
            errors=offences,
            hint="Leave their types out, or cast them in the query.",
        )
    return features


def _checked(batches: Iterator[pa.RecordBatch], run: _Run) -> Iterator[pa.RecordBatch]:
    """Refuse a source whose columns have other types than when the group was made; the first batch tells."""
    is_first = True
    for batch in batches:
        if is_first:
            offences = find_offences(batch.schema, run.schema)
            if offences:
                raise SchemaMismatchError(_named(offences), errors=offences)
            is_first = False
        yield batch


def _named(offences: Sequence[dict[str, object]]) -> str:
    return ", ".join(str(offence["field"]) for offence in offences[:5])


@contextmanager
def _told_apart_from_the_connector(run: _Run) -> Iterator[None]:
    """Readers, who may belong to another project, learn what failed and not where: host, user and secret stay out of it."""
    title = f"The source of feature group {run.title}"
    hint = f"Ask a data owner of project {run.project!r}, who can test the storage connector."
    try:
        yield
    except (SourceUnreachableError, SourceAddressRefusedError, ConnectorNotFoundError):
        raise SourceUnreachableError(f"{title} cannot be reached.", hint=hint) from None
    except (SourceLoginRefusedError, SecretNotFoundError, SecretAccessDeniedError, SecretRefInvalidError):
        raise SourceLoginRefusedError(f"{title} refuses the login.", hint=hint) from None
    except SchemaMismatchError as error:
        raise SourceValueError(
            f"{title} has changed: what it gives does not fit {_named(error.errors)}.",
            errors=error.errors,
            hint="Cast the columns at the source, or create a new version of the feature group.",
        ) from None
