"""What is kept: feature groups and training datasets, with what is held of them and what is held against them."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.bootstrap.connectors import Connectors
from app.bootstrap.parts import Parts
from app.bootstrap.rows import Rows
from app.featurestore.expectations.inspector import ExpectationInspector, ReportWriter
from app.featurestore.feature_groups.service import FeatureGroupService
from app.featurestore.jobs.queue import RunQueue
from app.featurestore.locations.service import Locations
from app.featurestore.statistics.datasets import TrainingDatasetSubjects
from app.featurestore.statistics.follower import StatisticsFollower
from app.featurestore.statistics.subjects import FEATURE_GROUP, TRAINING_DATASET, FeatureGroupSubjects, SubjectKind
from app.featurestore.training_datasets.cluster_rows import ClusterRows
from app.featurestore.training_datasets.places import DatasetPlaces
from app.featurestore.training_datasets.rows import RowSources
from app.featurestore.training_datasets.service import TrainingDatasetService
from app.featurestore.training_datasets.states import RecordedStates
from app.featurestore.validation.evaluation import Evaluator
from infra.formats.csv import csv_format, tsv_format
from infra.formats.parquet import ParquetFormat
from infra.ids import new_id
from infra.ports.formats import DataFormat
from infra.registry import Registry
from infra.tables.duplicates import DuckDbDuplicateFinder


@dataclass(frozen=True)
class Stored:
    locations: Locations
    places: DatasetPlaces
    feature_groups: FeatureGroupService
    training_datasets: TrainingDatasetService
    group_subjects: FeatureGroupSubjects
    subjects: Mapping[str, SubjectKind]
    evaluator: Evaluator
    reports: ReportWriter
    inspector: ExpectationInspector


def build_stored(parts: Parts, connectors: Connectors, rows: Rows, runs: RunQueue) -> Stored:
    settings, clock = parts.settings, parts.clock
    places = DatasetPlaces(database=parts.database, store=parts.store, connectors=connectors.files)
    locations = Locations(database=parts.database, store=parts.store, clock=clock, ids=new_id, external=places)
    follower = StatisticsFollower(queue=runs, after_commits=settings.statistics.after_commits)
    evaluator = Evaluator(duplicates=DuckDbDuplicateFinder(), clock=clock, seconds=settings.engine.deadline_seconds)
    reports = ReportWriter(clock=clock, ids=new_id)
    inspector = ExpectationInspector(database=parts.database, evaluator=evaluator, ledger=parts.ledger, writer=reports)
    formats = _formats()
    group_subjects = FeatureGroupSubjects(tables=parts.tables, engine=parts.engine)
    dataset_subjects = TrainingDatasetSubjects(places=places, formats=formats)
    return Stored(
        locations=locations,
        places=places,
        feature_groups=FeatureGroupService(
            **parts.writing,
            tables=parts.tables,
            locations=locations,
            ledger=parts.ledger,
            ids=new_id,
            follower=follower,
            inspector=inspector,
        ),
        training_datasets=TrainingDatasetService(
            **parts.writing,
            rows=_row_sources(parts, rows, locations),
            places=places,
            locations=locations,
            formats=formats,
            ids=new_id,
            follower=follower,
        ),
        group_subjects=group_subjects,
        subjects={FEATURE_GROUP: group_subjects, TRAINING_DATASET: dataset_subjects},
        evaluator=evaluator,
        reports=reports,
        inspector=inspector,
    )


def _row_sources(parts: Parts, rows: Rows, locations: Locations) -> RowSources:
    return RowSources(
        rows.queries,
        rows.sql,
        RecordedStates(parts.database, parts.authorizer, parts.tables),
        ClusterRows(parts.cluster, locations=locations, store=parts.store),
    )


def _formats() -> Registry[DataFormat]:
    built_in = (ParquetFormat(), csv_format(), tsv_format())
    return Registry("oasthouse.data_formats", {data_format.name: data_format for data_format in built_in})
