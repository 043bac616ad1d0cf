"""Stores of others: the kinds of connectors, and what reads and writes through them."""

import ssl
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

from sqlalchemy import URL, make_url
from sqlalchemy.orm import Session

from app.bootstrap.parts import Parts
from app.bootstrap.warehouses import reserved_places
from app.featurestore.connectors.files import FileReader
from app.featurestore.connectors.hopsfs import HopsfsKind
from app.featurestore.connectors.jdbc import JdbcKind
from app.featurestore.connectors.kinds import ConnectorKind
from app.featurestore.connectors.redshift import RedshiftKind
from app.featurestore.connectors.s3 import S3Kind
from app.featurestore.connectors.secrets import ProjectSecrets
from app.featurestore.connectors.service import ConnectorService
from app.featurestore.connectors.sql import SqlReader
from app.featurestore.connectors.stored import StoredSecrets
from app.featurestore.feature_groups.repository import FeatureGroupRepository
from app.featurestore.training_datasets.repository import TrainingDatasetRepository
from app.settings import Settings
from infra.database.unit_of_work import Database
from infra.errors import NotFoundError
from infra.ids import new_id
from infra.ports.files import FileLimits
from infra.ports.sources import SourceLimits, SqlSource
from infra.registry import Registry
from infra.sources.addresses import AddressGuard
from infra.sources.mysql import MySqlSource
from infra.sources.postgresql import REDSHIFT_FLAVOUR, PostgresSource
from infra.sources.sqlite import SqliteSource
from infra.storage.buckets import S3Buckets
from infra.storage.folders import WarehouseFolders
from tenancy.projects.repository import ProjectRepository


@dataclass(frozen=True)
class Connectors:
    service: ConnectorService
    sql: SqlReader
    files: FileReader
    stored: StoredSecrets


def build_connectors(parts: Parts) -> Connectors:
    secrets = parts.settings.secrets
    kinds = _kinds(parts)
    stored = StoredSecrets(database=parts.database, sealer=parts.sealer, pepper=parts.pepper, clock=parts.clock)
    of_projects = ProjectSecrets(users=parts.secrets, stored=stored, prefix=secrets.prefix, local=secrets.lent)
    return Connectors(
        stored=stored,
        service=ConnectorService(
            **parts.writing, ids=new_id, kinds=kinds, secrets=of_projects, stored=stored, uses=_uses_of_connector
        ),
        sql=SqlReader(database=parts.database, kinds=kinds, secrets=of_projects),
        files=FileReader(kinds=kinds, secrets=of_projects),
    )


def _uses_of_connector(session: Session, connector_id: UUID) -> list[str]:
    groups = FeatureGroupRepository(session).names_reading_through(connector_id)
    return [*groups, *TrainingDatasetRepository(session).names_written_through(connector_id)]


def _kinds(parts: Parts) -> Registry[ConnectorKind]:
    settings, warehouse = parts.settings, parts.warehouse
    guard = AddressGuard(settings.connectors.networks, _own_endpoints(settings))
    limits = FileLimits(settings.connectors.max_files, settings.connectors.max_file_bytes)
    jdbc = _jdbc_kind(settings, guard)
    project_id = partial(_project_id, parts.database)
    built_in: dict[str, ConnectorKind] = {
        "jdbc": jdbc,
        "redshift": RedshiftKind(jdbc),
        "s3": _s3_kind(parts, guard, limits),
        "hopsfs": HopsfsKind(folders=WarehouseFolders(warehouse, limits), project_id=project_id),
    }
    return Registry("oasthouse.connector_kinds", built_in)


def _jdbc_kind(settings: Settings, guard: AddressGuard) -> JdbcKind:
    read = settings.connectors
    ca_file = read.ca_file or Path(ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt")
    mysql = MySqlSource(guard=guard, ca_file=ca_file)
    built_in: dict[str, SqlSource] = {
        "postgresql": PostgresSource(guard=guard, ca_file=ca_file),
        "redshift": PostgresSource(guard=guard, ca_file=ca_file, flavour=REDSHIFT_FLAVOUR),
        "mysql": mysql,
        "mariadb": mysql,
        "sqlite": SqliteSource(read.sqlite_directory, _own_files(settings)),
    }
    return JdbcKind(
        sources=Registry("oasthouse.sql_sources", built_in),
        limits=SourceLimits(read.max_rows, read.max_bytes, read.deadline_seconds),
        require_allowed=guard.require_allowed,
    )


def _s3_kind(parts: Parts, guard: AddressGuard, limits: FileLimits) -> S3Kind:
    settings = parts.settings.connectors
    buckets = S3Buckets(
        addresses=guard.addresses,
        roles=parts.roles,
        limits=limits,
        ca_file=settings.bucket_ca_file,
    )
    return S3Kind(
        buckets=buckets,
        require_allowed=guard.require_allowed,
        reserved=partial(reserved_places, parts),
        allows_http=settings.allow_http,
    )


def _project_id(database: Database, name: str) -> UUID:
    with database.read() as session:
        project = ProjectRepository(session).find(name)
    if project is None:
        raise NotFoundError(f"There is no project {name!r}.")
    return project.id


def _own_endpoints(settings: Settings) -> tuple[tuple[str, int], ...]:
    """Where the gateway itself and its database listen: a connector there would ask questions in the gateway's name."""
    own = (settings.server.host, settings.server.port)
    return (own, *_database_endpoints(make_url(settings.resolved_database_url)))


def _database_endpoints(url: URL) -> list[tuple[str, int]]:
    """As the driver is told: hosts may stand in the parameters, several of them, each with a port of its own."""
    if url.get_backend_name() != "postgresql":
        return []
    told = url.get_dialect()().create_connect_args(url)[1]
    ports = [int(port) for port in str(told.get("port") or "").split(",") if port] or [5432]
    found: list[tuple[str, int]] = []
    for name in ("host", "hostaddr"):
        hosts = [host for host in str(told.get(name) or "").split(",") if host]
        found += zip(hosts, ports * len(hosts) if len(ports) == 1 else ports, strict=False)
    return [(host, port) for host, port in found if not host.startswith("/")]


def _own_files(settings: Settings) -> tuple[Path, ...]:
    url = make_url(settings.resolved_database_url)
    is_file = url.get_backend_name() == "sqlite" and url.database
    return (Path(str(url.database)),) if is_file else ()
