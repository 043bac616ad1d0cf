"""What runs in the background: the kinds of jobs, the queue, and programs of the operator."""

from dataclasses import dataclass

from app.bootstrap.connectors import Connectors
from app.bootstrap.parts import Parts
from app.bootstrap.stored import Stored
from app.featurestore.expectations.handlers import KIND as VALIDATION
from app.featurestore.expectations.handlers import ValidationKind
from app.featurestore.expectations.tables import TableValidator
from app.featurestore.feature_groups.handlers import OptimizeKind
from app.featurestore.feature_groups.links import link_job
from app.featurestore.feature_groups.optimizing import OptimizeService
from app.featurestore.imports.handlers import ImportFilesKind, ImportSqlKind
from app.featurestore.imports.service import ImportService
from app.featurestore.imports.spool import ImportLimits
from app.featurestore.jobs.allow_list import read_programs
from app.featurestore.jobs.execution import RunExecution
from app.featurestore.jobs.handlers import JobKind
from app.featurestore.jobs.history import RunHistory
from app.featurestore.jobs.program_kind import ProgramKind
from app.featurestore.jobs.programs import Programs, ProgramService
from app.featurestore.jobs.queue import RunQueue
from app.featurestore.jobs.scheduler import Scheduler
from app.featurestore.jobs.service import JobService
from app.featurestore.statistics.follower import KIND as STATISTICS
from app.featurestore.statistics.handlers import StatisticsKind
from app.featurestore.training_datasets.handlers import CreateTrainingDatasetKind
from infra.executors.databricks import DatabricksKind
from infra.executors.local import LocalKind
from infra.executors.sagemaker import SageMakerKind
from infra.formats.foreign.avro import ForeignAvro
from infra.formats.foreign.delimited import foreign_csv, foreign_tsv
from infra.formats.foreign.json_lines import ForeignJsonLines
from infra.formats.foreign.orc import ForeignOrc
from infra.formats.foreign.parquet import ForeignParquet
from infra.ids import new_id
from infra.ports.executors import ExecutorKind
from infra.ports.imports import ImportFormat
from infra.registry import Registry
from infra.secrets.operators import StoredOperatorSecrets


@dataclass(frozen=True)
class Work:
    jobs: JobService
    programs: ProgramService
    scheduler: Scheduler
    execution: RunExecution
    history: RunHistory


def build_work(parts: Parts, connectors: Connectors, stored: Stored, runs: RunQueue) -> Work:
    programs = _programs(parts)
    kinds = _kinds(parts, connectors, stored, programs)
    return Work(
        jobs=JobService(**parts.writing, ids=new_id, queue=runs, kinds=kinds),
        programs=ProgramService(**parts.reading, programs=programs),
        scheduler=Scheduler(database=parts.database, queue=runs, kinds=kinds, clock=parts.clock),
        execution=RunExecution(
            database=parts.database, queue=runs, ledger=parts.ledger, kinds=kinds, clock=parts.clock, linked=link_job
        ),
        history=RunHistory(database=parts.database, clock=parts.clock, days=parts.settings.jobs.history_days),
    )


def _kinds(parts: Parts, connectors: Connectors, stored: Stored, programs: Programs) -> Registry[JobKind]:
    imports = _imports(parts, connectors, stored)
    optimizing = OptimizeService(**parts.reading, tables=parts.tables, engine=parts.engine)
    validator = TableValidator(
        **parts.reading, subjects=stored.group_subjects, evaluator=stored.evaluator, writer=stored.reports
    )
    built_in: dict[str, JobKind] = {
        "import_files": ImportFilesKind(imports),
        "import_sql": ImportSqlKind(imports),
        "training_dataset": CreateTrainingDatasetKind(stored.training_datasets),
        "optimize": OptimizeKind(optimizing),
        VALIDATION: ValidationKind(validator),
        "program": ProgramKind(**parts.reading, programs=programs),
        STATISTICS: StatisticsKind(database=parts.database, clock=parts.clock, ids=new_id, subjects=stored.subjects),
    }
    return Registry("oasthouse.job_kinds", built_in)


def _imports(parts: Parts, connectors: Connectors, stored: Stored) -> ImportService:
    read, uploads = parts.settings.connectors, parts.settings.uploads
    return ImportService(
        **parts.reading,
        groups=stored.feature_groups,
        files=connectors.files,
        sql=connectors.sql,
        formats=_import_formats(),
        limits=ImportLimits(read.max_rows, read.max_bytes, directory=uploads.spool_dir),
    )


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


def _programs(parts: Parts) -> Programs:
    built_in: dict[str, ExecutorKind] = {
        "local": LocalKind(),
        "databricks": DatabricksKind(),
        "sagemaker": SageMakerKind(),
    }
    executors = Registry("oasthouse.executors", built_in)
    return read_programs(parts.settings.jobs.programs, executors, StoredOperatorSecrets(parts.secret_stores))
