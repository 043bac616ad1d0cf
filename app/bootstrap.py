"""Wires the gateway: the only module that names implementations."""

import ssl
import tempfile
from functools import partial
from pathlib import Path
from typing import TypedDict
from uuid import UUID

from sqlalchemy import make_url
from sqlalchemy.orm import Session

from app.container import Container
from app.featurestore.changes.service import ChangeService
from app.featurestore.connectors.files import FileReader
from app.featurestore.connectors.hopsfs import HopsfsKind
from app.featurestore.connectors.jdbc import JdbcKind
from app.featurestore.connectors.kinds import ConnectorKind
from app.featurestore.connectors.redshift import RedshiftKind
from app.featurestore.connectors.s3 import Place, S3Kind
from app.featurestore.connectors.secrets import ProjectSecrets
from app.featurestore.connectors.service import ConnectorService
from app.featurestore.connectors.sql import SqlReader
from app.featurestore.expectations.handlers import KIND as VALIDATION
from app.featurestore.expectations.handlers import ValidationKind
from app.featurestore.expectations.inspector import ExpectationInspector, ReportWriter
from app.featurestore.expectations.service import ExpectationService
from app.featurestore.expectations.tables import TableValidator
from app.featurestore.feature_groups.handlers import OptimizeKind
from app.featurestore.feature_groups.history import FeatureGroupHistoryService
from app.featurestore.feature_groups.links import link_job
from app.featurestore.feature_groups.on_demand import OnDemandService, OnDemandSources
from app.featurestore.feature_groups.optimizing import OptimizeService
from app.featurestore.feature_groups.repository import FeatureGroupRepository
from app.featurestore.feature_groups.service import FeatureGroupService
from app.featurestore.imports.handlers import ImportFilesKind, ImportSqlKind
from app.featurestore.imports.service import ImportService
from app.featurestore.imports.spool import ImportLimits
from app.featurestore.jobs.allow_list import read_programs
from app.featurestore.jobs.execution import RunExecution
from app.featurestore.jobs.handlers import JobKind
from app.featurestore.jobs.program_kind import ProgramKind
from app.featurestore.jobs.programs import Programs, ProgramService
from app.featurestore.jobs.queue import RunQueue
from app.featurestore.jobs.scheduler import Scheduler
from app.featurestore.jobs.service import JobService
from app.featurestore.locations.service import Locations
from app.featurestore.parts.service import PartService
from app.featurestore.query.service import QueryService
from app.featurestore.sql.service import SqlService
from app.featurestore.sql.tables import StoredTables
from app.featurestore.statistics.datasets import TrainingDatasetSubjects
from app.featurestore.statistics.follower import KIND as STATISTICS
from app.featurestore.statistics.follower import StatisticsFollower
from app.featurestore.statistics.handlers import StatisticsKind
from app.featurestore.statistics.service import StatisticsService
from app.featurestore.statistics.subjects import FEATURE_GROUP, TRAINING_DATASET, FeatureGroupSubjects, SubjectKind
from app.featurestore.training_datasets.cluster_rows import ClusterRows
from app.featurestore.training_datasets.handlers import CreateTrainingDatasetKind
from app.featurestore.training_datasets.places import DatasetPlaces
from app.featurestore.training_datasets.repository import TrainingDatasetRepository
from app.featurestore.training_datasets.rows import RowSources
from app.featurestore.training_datasets.service import TrainingDatasetService
from app.featurestore.training_datasets.states import RecordedStates
from app.featurestore.validation.evaluation import Evaluator
from app.settings import ConnectorSettings, SecretSettings, Settings, SparkSettings, WarehouseSettings
from infra.clock import Clock, SystemClock
from infra.crypto import Pepper, SecretValue
from infra.database.engine import open_engine
from infra.database.idempotency import IdempotencyLedger
from infra.database.unit_of_work import Database
from infra.engines.process_engine import ProcessEngine
from infra.engines.spark_connect import SparkConnectCluster
from infra.errors import NotFoundError
from infra.executors.databricks import DatabricksKind
from infra.executors.local import LocalKind
from infra.executors.sagemaker import SageMakerKind
from infra.formats.csv import csv_format, tsv_format
from infra.formats.foreign.avro import ForeignAvro
from infra.formats.foreign.delimited import foreign_csv, foreign_tsv
from infra.formats.foreign.json_lines import ForeignJsonLines
from infra.formats.foreign.orc import ForeignOrc
from infra.formats.foreign.parquet import ForeignParquet
from infra.formats.parquet import ParquetFormat
from infra.ids import new_id
from infra.ports.cluster import Cluster
from infra.ports.engine import QueryLimits
from infra.ports.executors import ExecutorKind
from infra.ports.files import FileLimits
from infra.ports.formats import DataFormat
from infra.ports.imports import ImportFormat
from infra.ports.secrets import SecretStore
from infra.ports.sources import SourceLimits, SqlSource
from infra.registry import Registry
from infra.secrets.aws import AwsOptions
from infra.secrets.environment import EnvironmentSecretStore
from infra.secrets.files import FileSecretStore
from infra.secrets.operators import StoredOperatorSecrets
from infra.secrets.parameterstore import ParameterStore
from infra.secrets.secretsmanager import SecretsManagerStore
from infra.sources.addresses import AddressGuard
from infra.sources.mysql import MySqlSource
from infra.sources.postgresql import REDSHIFT_FLAVOUR, PostgresSource
from infra.sources.sqlite import SqliteSource
from infra.storage.buckets import S3Buckets
from infra.storage.folders import WarehouseFolders
from infra.storage.location import S3Options, Warehouse, parse_warehouse
from infra.storage.roles import AssumedRoles
from infra.storage.warehouse import open_object_store
from infra.tables.delta import DeltaTableStore
from infra.tables.duplicates import DuckDbDuplicateFinder
from tenancy.access import Authorizer
from tenancy.api_keys.authentication import Authenticator
from tenancy.api_keys.service import ApiKeyService
from tenancy.audit.service import AuditLog
from tenancy.authorizer import DatabaseAuthorizer
from tenancy.members.service import MemberService
from tenancy.projects.repository import ProjectRepository
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
    ledger = IdempotencyLedger(database=database, clock=clock, ids=new_id)
    engine = ProcessEngine(warehouse, temp_directory=Path(tempfile.gettempdir()), **settings.engine.model_dump())
    stores = _secret_stores(settings.secrets)
    kinds, secrets = _connector_kinds(settings, database, warehouse), _project_secrets(settings.secrets, stores)
    programs = _programs(settings, stores)
    places = DatasetPlaces(database=database, store=store, connectors=FileReader(kinds=kinds, secrets=secrets))
    locations = Locations(database=database, store=store, clock=clock, ids=new_id, external=places)
    reader = SqlReader(database=database, kinds=kinds, secrets=secrets)
    on_demand = OnDemandSources(reader=reader)
    queries = QueryService(database=database, authorizer=authorizer, tables=tables, engine=engine, on_demand=on_demand)
    sql = SqlService(
        database=database,
        authorizer=authorizer,
        tables_of=StoredTables(tables=tables, on_demand=on_demand),
        engine=engine,
        limits=QueryLimits(**settings.sql.model_dump()),
    )
    tenancy: _Tenancy = {"database": database, "authorizer": authorizer, "audit": audit, "clock": clock}
    runs = RunQueue(database=database, clock=clock, ids=new_id)
    formats = _formats()
    follower = StatisticsFollower(queue=runs, after_commits=settings.statistics.after_commits)
    cluster = _cluster(settings.spark)
    training_datasets = TrainingDatasetService(
        **tenancy,
        rows=RowSources(
            queries,
            sql,
            RecordedStates(database, authorizer, tables),
            ClusterRows(cluster, locations=locations, store=store),
        ),
        places=places,
        locations=locations,
        formats=formats,
        ids=new_id,
        follower=follower,
    )
    group_subjects = FeatureGroupSubjects(tables=tables, engine=engine)
    subjects: dict[str, SubjectKind] = {
        FEATURE_GROUP: group_subjects,
        TRAINING_DATASET: TrainingDatasetSubjects(places=places, formats=formats),
    }
    evaluator = Evaluator(duplicates=DuckDbDuplicateFinder(), clock=clock, seconds=settings.engine.deadline_seconds)
    reports = ReportWriter(clock=clock, ids=new_id)
    inspector = ExpectationInspector(database=database, evaluator=evaluator, ledger=ledger, writer=reports)
    feature_groups = FeatureGroupService(
        **tenancy,
        tables=tables,
        locations=locations,
        ledger=ledger,
        ids=new_id,
        follower=follower,
        inspector=inspector,
    )
    imports = ImportService(
        database=database,
        authorizer=authorizer,
        groups=feature_groups,
        files=FileReader(kinds=kinds, secrets=secrets),
        sql=reader,
        formats=_import_formats(),
        limits=ImportLimits(
            settings.connectors.max_rows, settings.connectors.max_bytes, directory=settings.uploads.spool_dir
        ),
    )
    built_in_kinds: dict[str, JobKind] = {
        "import_files": ImportFilesKind(imports),
        "import_sql": ImportSqlKind(imports),
        "training_dataset": CreateTrainingDatasetKind(training_datasets),
        "optimize": OptimizeKind(
            OptimizeService(database=database, authorizer=authorizer, tables=tables, engine=engine)
        ),
        VALIDATION: ValidationKind(
            TableValidator(
                database=database, authorizer=authorizer, subjects=group_subjects, evaluator=evaluator, writer=reports
            )
        ),
        "program": ProgramKind(database=database, authorizer=authorizer, programs=programs),
        STATISTICS: StatisticsKind(database=database, clock=clock, ids=new_id, subjects=subjects),
    }
    job_kinds = Registry[JobKind]("oasthouse.job_kinds", built_in_kinds)
    return Container(
        settings=settings,
        clock=clock,
        database=database,
        store=store,
        tables=tables,
        cluster=cluster,
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
        connectors=ConnectorService(
            **tenancy,
            ids=new_id,
            kinds=kinds,
            secrets=secrets,
            uses=_uses_of_connector,
        ),
        on_demand=OnDemandService(**tenancy, reader=reader, ids=new_id),
        on_demand_sources=on_demand,
        feature_groups=feature_groups,
        feature_group_history=FeatureGroupHistoryService(**tenancy, tables=tables, locations=locations, ids=new_id),
        changes=ChangeService(database=database, authorizer=authorizer, tables=tables, engine=engine),
        queries=queries,
        sql=sql,
        parts=PartService(
            database=database,
            authorizer=authorizer,
            tables=tables,
            store=store,
            clock=clock,
            least_bytes=settings.results.parts_from_bytes,
            presigned_seconds=settings.warehouse.presigned_seconds,
            ids=new_id,
            direct_reads=settings.warehouse.direct_reads,
        ),
        training_datasets=training_datasets,
        places=places,
        locations=locations,
        statistics=StatisticsService(
            database=database, authorizer=authorizer, audit=audit, queue=runs, subjects=subjects
        ),
        expectations=ExpectationService(**tenancy, inspector=inspector, queue=runs),
        jobs=JobService(**tenancy, ids=new_id, queue=runs, kinds=job_kinds),
        programs=ProgramService(database=database, authorizer=authorizer, programs=programs),
        runs=runs,
        scheduler=Scheduler(database=database, queue=runs, kinds=job_kinds, clock=clock),
        execution=RunExecution(
            database=database, queue=runs, ledger=ledger, kinds=job_kinds, clock=clock, linked=link_job
        ),
    )


def _uses_of_connector(session: Session, connector_id: UUID) -> list[str]:
    groups = FeatureGroupRepository(session).names_reading_through(connector_id)
    return [*groups, *TrainingDatasetRepository(session).names_written_through(connector_id)]


def _cluster(settings: SparkSettings) -> Cluster | None:
    if settings.remote is None:
        return None
    remote = SecretValue(settings.remote.get_secret_value())
    return SparkConnectCluster(remote, s3_scheme=settings.s3_scheme, deadline_seconds=settings.deadline_seconds)


def _s3_options(settings: WarehouseSettings) -> S3Options:
    secret, session = settings.secret_access_key, settings.session_token
    return S3Options(
        region=settings.region,
        endpoint_url=settings.endpoint_url,
        access_key_id=settings.access_key_id,
        secret_access_key=secret.get_secret_value() if secret else None,
        session_token=session.get_secret_value() if session else None,
    )


def _secret_stores(settings: SecretSettings) -> Registry[SecretStore]:
    aws = AwsOptions(settings.aws_region, settings.aws_endpoint_url)
    built_in: dict[str, SecretStore] = {
        "aws-sm": SecretsManagerStore(aws, settings.accounts),
        "aws-ssm": ParameterStore(aws),
        "env": EnvironmentSecretStore(),
        "file": FileSecretStore(settings.directory),
    }
    return Registry("oasthouse.secret_stores", built_in)


def _project_secrets(settings: SecretSettings, stores: Registry[SecretStore]) -> ProjectSecrets:
    return ProjectSecrets(stores=stores, prefix=settings.prefix, local=settings.lent)


def _programs(settings: Settings, stores: Registry[SecretStore]) -> Programs:
    built_in: dict[str, ExecutorKind] = {
        "local": LocalKind(),
        "databricks": DatabricksKind(),
        "sagemaker": SageMakerKind(),
    }
    executors = Registry("oasthouse.executors", built_in)
    return read_programs(settings.jobs.programs, executors, StoredOperatorSecrets(stores))


def _connector_kinds(settings: Settings, database: Database, warehouse: Warehouse) -> Registry[ConnectorKind]:
    guard = AddressGuard(settings.connectors.networks, _own_endpoints(settings))
    limits = FileLimits(settings.connectors.max_files, settings.connectors.max_file_bytes)
    jdbc = _jdbc_kind(settings, guard)
    built_in: dict[str, ConnectorKind] = {
        "jdbc": jdbc,
        "redshift": RedshiftKind(jdbc),
        "s3": _s3_kind(settings.connectors, guard, limits, warehouse),
        "hopsfs": HopsfsKind(folders=WarehouseFolders(warehouse, limits), project_id=partial(_project_id, database)),
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


def _s3_kind(settings: ConnectorSettings, guard: AddressGuard, limits: FileLimits, warehouse: Warehouse) -> S3Kind:
    buckets = S3Buckets(
        addresses=guard.addresses,
        roles=AssumedRoles(settings.sts_region, settings.sts_endpoint_url),
        limits=limits,
        ca_file=settings.bucket_ca_file,
    )
    return S3Kind(
        buckets=buckets,
        require_allowed=guard.require_allowed,
        reserved=Place(warehouse.bucket, warehouse.prefix) if warehouse.is_s3 else None,
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
    url = make_url(settings.resolved_database_url)
    databases = [(host, url.port or 5432) for host in (url.host or "").split(",") if host]
    return ((settings.server.host, settings.server.port), *databases)


def _own_files(settings: Settings) -> tuple[Path, ...]:
    url = make_url(settings.resolved_database_url)
    is_file = url.get_backend_name() == "sqlite" and url.database
    return (Path(str(url.database)),) if is_file else ()


def _formats() -> Registry[DataFormat]:
    built_in = (ParquetFormat(), csv_format(), tsv_format())
    return Registry("oasthouse.data_formats", {data_format.name: data_format for data_format in built_in})


def _import_formats() -> Registry[ImportFormat]:
    json_lines = ForeignJsonLines()
    built_in: dict[str, ImportFormat] = {
        "parquet": ForeignParquet(),
        "csv": foreign_csv(),
        "tsv": foreign_tsv(),
        "orc": ForeignOrc(),
        "avro": ForeignAvro(),
        "json": json_lines,
        "jsonl": json_lines,
    }
    return Registry("oasthouse.import_formats", built_in)
