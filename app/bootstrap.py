"""Wires the gateway: the only module that names implementations."""

import tempfile
from pathlib import Path
from typing import TypedDict

from app.container import Container
from app.featurestore.feature_groups.service import FeatureGroupService
from app.featurestore.locations.service import Locations
from app.featurestore.query.service import QueryService
from app.featurestore.training_datasets.service import TrainingDatasetService
from app.settings import Settings, WarehouseSettings
from infra.clock import Clock, SystemClock
from infra.crypto import Pepper
from infra.database.engine import open_engine
from infra.database.idempotency import IdempotencyLedger
from infra.database.unit_of_work import Database
from infra.engines.duckdb_engine import DuckDbEngine
from infra.formats.csv import csv_format, tsv_format
from infra.formats.parquet import ParquetFormat
from infra.ids import new_id
from infra.ports.formats import DataFormat
from infra.registry import Registry
from infra.storage.location import S3Options, parse_warehouse
from infra.storage.warehouse import open_object_store
from infra.tables.delta import DeltaTableStore
from tenancy.access import Authorizer
from tenancy.api_keys.authentication import Authenticator
from tenancy.api_keys.service import ApiKeyService
from tenancy.audit.service import AuditLog
from tenancy.authorizer import DatabaseAuthorizer
from tenancy.members.service import MemberService
from tenancy.projects.service import ProjectService
from tenancy.shares.service import ShareService


class _Tenancy(TypedDict):
    """What every use case that changes something is given."""

    database: Database
    authorizer: Authorizer
    audit: AuditLog
    clock: Clock


def build_container(settings: Settings, clock: Clock | None = None) -> Container:
    """Everything wired, nothing connected: connections and threads come with the first use, after any fork."""
    clock = clock or SystemClock()
    pepper = Pepper.load(settings.resolved_pepper_file)
    database = Database(open_engine(settings.resolved_database_url))
    warehouse = parse_warehouse(settings.resolved_warehouse_url, _s3_options(settings.warehouse))
    store, tables = open_object_store(warehouse), DeltaTableStore(warehouse)
    authorizer, audit = DatabaseAuthorizer(clock=clock), AuditLog(clock=clock, ids=new_id)
    locations = Locations(database=database, store=store, clock=clock, ids=new_id)
    ledger = IdempotencyLedger(database=database, clock=clock, ids=new_id)
    engine = DuckDbEngine(warehouse, temp_directory=Path(tempfile.gettempdir()), **settings.engine.model_dump())
    queries = QueryService(database=database, authorizer=authorizer, tables=tables, engine=engine)
    tenancy: _Tenancy = {"database": database, "authorizer": authorizer, "audit": audit, "clock": clock}
    return Container(
        settings=settings,
        clock=clock,
        database=database,
        store=store,
        ledger=ledger,
        authorizer=authorizer,
        authenticator=Authenticator(database=database, pepper=pepper, clock=clock, environment=settings.environment),
        projects=ProjectService(**tenancy, ids=new_id),
        members=MemberService(**tenancy, ids=new_id),
        shares=ShareService(**tenancy, ids=new_id),
        api_keys=ApiKeyService(
            **tenancy,
            pepper=pepper,
            environment=settings.environment,
            default_days=settings.keys.default_days,
            max_days=settings.keys.max_days,
        ),
        feature_groups=FeatureGroupService(**tenancy, tables=tables, locations=locations, ledger=ledger, ids=new_id),
        queries=queries,
        training_datasets=TrainingDatasetService(
            **tenancy, queries=queries, store=store, locations=locations, formats=_formats(), ids=new_id
        ),
        locations=locations,
    )


def _s3_options(settings: WarehouseSettings) -> S3Options:
    secret, session = settings.secret_access_key, settings.session_token
    return S3Options(
        region=settings.region,
        endpoint_url=settings.endpoint_url,
        access_key_id=settings.access_key_id,
        secret_access_key=secret.get_secret_value() if secret else None,
        session_token=session.get_secret_value() if session else None,
    )


def _formats() -> Registry[DataFormat]:
    built_in = (ParquetFormat(), csv_format(), tsv_format())
    return Registry("oasthouse.data_formats", {data_format.name: data_format for data_format in built_in})
