"""Everything put together."""

from typing import TypedDict

from app.bootstrap.connectors import Connectors, build_connectors
from app.bootstrap.logins import build_logins
from app.bootstrap.parts import Parts, build_parts
from app.bootstrap.rows import Rows, build_rows
from app.bootstrap.staging import build_staging
from app.bootstrap.stored import build_stored
from app.bootstrap.warehouses import build_commit_proofs, build_warehouses
from app.bootstrap.work import build_work
from app.container import Container
from app.featurestore.changes.service import ChangeService
from app.featurestore.connectors.service import ConnectorService
from app.featurestore.connectors.stored import StoredSecrets
from app.featurestore.expectations.service import ExpectationService
from app.featurestore.feature_groups.history import FeatureGroupHistoryService
from app.featurestore.feature_groups.on_demand import OnDemandService, OnDemandSources
from app.featurestore.jobs.queue import RunQueue
from app.featurestore.parts.service import PartService
from app.featurestore.query.service import QueryService
from app.featurestore.sql.service import SqlService
from app.featurestore.statistics.service import StatisticsService
from app.featurestore.vending.proof import Proofs
from app.featurestore.vending.service import VendingService
from app.settings import Settings
from infra.clock import Clock, SystemClock
from infra.ids import new_id
from tenancy.api_keys.authentication import Authenticator
from tenancy.api_keys.service import ApiKeyService
from tenancy.attempts import Attempts
from tenancy.members.service import MemberService
from tenancy.projects.service import ProjectService
from tenancy.role_bindings.authentication import SessionAuthenticator
from tenancy.role_bindings.login import LoginService
from tenancy.role_bindings.service import RoleBindingService
from tenancy.shares.service import ShareService


class _Tenancy(TypedDict):
    attempts: Attempts
    authenticator: Authenticator
    projects: ProjectService
    members: MemberService
    api_keys: ApiKeyService
    shares: ShareService
    role_bindings: RoleBindingService
    logins: LoginService
    sessions: SessionAuthenticator


class _AskedFor(TypedDict):
    on_demand_sources: OnDemandSources
    queries: QueryService
    sql: SqlService
    parts: PartService
    vending: VendingService
    vending_proofs: Proofs


class _Connectors(TypedDict):
    connectors: ConnectorService
    stored_secrets: StoredSecrets


def build_container(settings: Settings, clock: Clock | None = None) -> Container:
    """Everything wired, nothing connected: connections and threads come with the first use, after any fork."""
    parts = build_parts(settings, clock or SystemClock())
    connectors = build_connectors(parts)
    rows = build_rows(parts, connectors.sql)
    runs = RunQueue(database=parts.database, clock=parts.clock, ids=new_id)
    stored = build_stored(parts, connectors, rows, runs)
    work = build_work(parts, connectors, stored, runs)
    return Container(
        **_tenancy(parts),
        **_asked_for(rows),
        settings=parts.settings,
        clock=parts.clock,
        database=parts.database,
        store=parts.store,
        tables=parts.tables,
        cluster=parts.cluster,
        ledger=parts.ledger,
        authorizer=parts.authorizer,
        feature_groups=stored.feature_groups,
        training_datasets=stored.training_datasets,
        staging=build_staging(parts, rows, stored),
        places=stored.places,
        locations=stored.locations,
        warehouses=build_warehouses(parts),
        commit_proofs=build_commit_proofs(parts),
        jobs=work.jobs,
        programs=work.programs,
        scheduler=work.scheduler,
        execution=work.execution,
        history=work.history,
        runs=runs,
        **_connectors(connectors),
        on_demand=OnDemandService(**parts.writing, reader=connectors.sql, ids=new_id),
        feature_group_history=FeatureGroupHistoryService(
            **parts.writing, tables=parts.tables, locations=stored.locations, ids=new_id
        ),
        changes=ChangeService(**parts.reading, tables=parts.tables, engine=parts.engine),
        statistics=StatisticsService(**parts.reading, audit=parts.audit, queue=runs, subjects=stored.subjects),
        expectations=ExpectationService(**parts.writing, inspector=stored.inspector, queue=runs),
    )


def _asked_for(rows: Rows) -> _AskedFor:
    return {
        "on_demand_sources": rows.on_demand,
        "queries": rows.queries,
        "sql": rows.sql,
        "parts": rows.parts,
        "vending": rows.vending,
        "vending_proofs": rows.vending_proofs,
    }


def _connectors(connectors: Connectors) -> _Connectors:
    return {"connectors": connectors.service, "stored_secrets": connectors.stored}


def _tenancy(parts: Parts) -> _Tenancy:
    environment, keys = parts.settings.environment, parts.settings.keys
    logins = build_logins(parts)
    return {
        "attempts": logins.attempts,
        "authenticator": Authenticator(
            database=parts.database, pepper=parts.pepper, clock=parts.clock, environment=environment
        ),
        "projects": ProjectService(**parts.writing, ids=new_id),
        "members": MemberService(**parts.writing, ids=new_id),
        "api_keys": ApiKeyService(
            **parts.writing,
            pepper=parts.pepper,
            environment=environment,
            default_days=keys.default_days,
            max_days=keys.max_days,
        ),
        "shares": ShareService(**parts.writing, ids=new_id),
        "role_bindings": logins.role_bindings,
        "logins": logins.service,
        "sessions": logins.sessions,
    }
