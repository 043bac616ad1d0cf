"""What everything else stands on: database, warehouse, engine, and who may do what."""

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypedDict

from app.bootstrap.own import read_own, secret_stores
from app.featurestore.warehouses.repository import WarehouseRepository
from app.settings import Settings, SparkSettings, WarehouseSettings
from infra.clock import Clock
from infra.crypto import Pepper, SecretValue
from infra.database.engine import open_engine
from infra.database.idempotency import IdempotencyLedger
from infra.database.unit_of_work import Database
from infra.engines.process_engine import ProcessEngine
from infra.engines.spark_connect import SparkConnectCluster
from infra.ids import new_id
from infra.ports.cluster import Cluster
from infra.ports.engine import QueryEngine
from infra.ports.sealing import SecretSealer
from infra.ports.secrets import SecretStore
from infra.ports.storage import ObjectStore
from infra.ports.tables import TableStore
from infra.ports.warehouses import RegisteredWarehouse
from infra.registry import Registry
from infra.secrets.rotating import RotatingSecrets
from infra.storage.location import S3Options, Warehouse, parse_warehouse
from infra.storage.roles import AssumedRoles
from infra.storage.routed import RoutedObjectStore
from infra.storage.warehouses import Warehouses
from infra.tables.delta import DeltaTableStore
from tenancy.access import Authorizer
from tenancy.audit.service import AuditLog
from tenancy.authorizer import DatabaseAuthorizer


class Readers(TypedDict):
    """What every use case is given."""

    database: Database
    authorizer: Authorizer


class Writers(Readers):
    """What every use case that changes something is given."""

    audit: AuditLog
    clock: Clock


@dataclass(frozen=True)
class Parts:
    settings: Settings
    clock: Clock
    pepper: Pepper
    database: Database
    ledger: IdempotencyLedger
    warehouse: Warehouse
    warehouses: Warehouses
    roles: AssumedRoles
    store: ObjectStore
    tables: TableStore
    engine: QueryEngine
    cluster: Cluster | None
    secret_stores: Registry[SecretStore]
    secrets: RotatingSecrets
    sealer: SecretSealer | None
    authorizer: Authorizer
    audit: AuditLog

    @property
    def reading(self) -> Readers:
        return {"database": self.database, "authorizer": self.authorizer}

    @property
    def writing(self) -> Writers:
        return {**self.reading, "audit": self.audit, "clock": self.clock}


def build_parts(given: Settings, clock: Clock) -> Parts:
    stores = secret_stores(given.secrets)
    secrets = RotatingSecrets(stores)
    own = read_own(given, secrets)
    settings = own.settings
    database = Database(open_engine(settings.resolved_database_url, own.database_login))
    warehouse = parse_warehouse(settings.resolved_warehouse_url, _s3_options(settings.warehouse))
    roles = AssumedRoles(settings.connectors.sts_region, settings.connectors.sts_endpoint_url)
    warehouses = Warehouses(warehouse, partial(_registered, database), roles)
    return Parts(
        settings=settings,
        clock=clock,
        pepper=own.pepper,
        database=database,
        ledger=IdempotencyLedger(database=database, clock=clock, ids=new_id),
        warehouse=warehouse,
        warehouses=warehouses,
        roles=roles,
        store=RoutedObjectStore(warehouses),
        tables=DeltaTableStore(warehouses),
        engine=ProcessEngine(warehouses, temp_directory=Path(tempfile.gettempdir()), **settings.engine.model_dump()),
        cluster=_cluster(settings.spark),
        secret_stores=stores,
        secrets=secrets,
        sealer=own.sealer,
        authorizer=DatabaseAuthorizer(clock=clock),
        audit=AuditLog(clock=clock, ids=new_id),
    )


def _registered(database: Database) -> list[RegisteredWarehouse]:
    with database.read() as session:
        return WarehouseRepository(session).registered()


def _s3_options(settings: WarehouseSettings) -> S3Options:
    secret, session = settings.secret_access_key, settings.session_token
    return S3Options(
        region=settings.region,
        endpoint_url=settings.endpoint_url,
        access_key_id=settings.access_key_id,
        secret_access_key=secret.get_secret_value() if secret else None,
        session_token=session.get_secret_value() if session else None,
    )


def _cluster(settings: SparkSettings) -> Cluster | None:
    if settings.remote is None:
        return None
    remote = SecretValue(settings.remote.get_secret_value())
    return SparkConnectCluster(remote, s3_scheme=settings.s3_scheme, deadline_seconds=settings.deadline_seconds)
