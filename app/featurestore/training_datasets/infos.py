"""What is asked of training datasets and said of them, apart from the rows of the database that say it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.featurestore.query.expression import FeatureExpression
from app.featurestore.sql.service import SqlQuery
from app.featurestore.training_datasets.models import TrainingDataset
from app.featurestore.training_datasets.splits import Splits


@dataclass(frozen=True)
class CreateTrainingDataset:
    """Rows come from `query`, from `sql`, or with the request as a frame. A frame beside `query` holds its labels.

    `label` is the column that is to be predicted, where the labels do not say so themselves. `fixed` asks for arrays of
    one length to be described as such to readers of tfrecords. `sink` is a storage connector to whose place the files go,
    to `path` there; None: the project's own place. `statistics` are options of what to compute of it; None: everything.
    `engine` joins the features of `query`: "duckdb", which is the gateway's own and meant by None, or "spark".
    """

    name: str
    version: int = 1
    description: str = ""
    data_format: str = "parquet"
    query: FeatureExpression | None = None
    sql: SqlQuery | None = None
    splits: Splits | None = None
    overwrite: bool = False
    jobs: tuple[str, ...] = ()
    label: str | None = None
    fixed: bool = True
    sink: str | None = None
    path: str | None = None
    statistics: dict[str, Any] | None = None
    engine: str | None = None


class InsertMode(StrEnum):
    """Whether new rows come in place of those there, or after them."""

    OVERWRITE = "overwrite"
    APPEND = "append"


@dataclass(frozen=True)
class RecreateTrainingDataset:
    """What the copy is called: as the original where `name` is None, the next free version where `version` is."""

    name: str | None = None
    version: int | None = None


@dataclass(frozen=True)
class ReadRows:
    """Which rows of a dataset: of one split, of one file, some columns of them. `content_hash` insists on that content."""

    split: str | None = None
    file: str | None = None
    columns: tuple[str, ...] = ()
    content_hash: str | None = None


@dataclass(frozen=True)
class ColumnInfo:
    name: str
    type: str


@dataclass(frozen=True)
class TrainingDatasetInfo:
    """`path` is where the bytes are: a directory or an s3:// prefix."""

    id: UUID
    project: str
    name: str
    version: int
    kind: str
    description: str
    data_format: str
    features: list[ColumnInfo]
    jobs: list[str]
    created_at: datetime
    created_by: str
    path: str
    rows: int
    bytes: int
    revision: int

    @classmethod
    def of(cls, dataset: TrainingDataset, path: str) -> "TrainingDatasetInfo":
        return cls(
            id=dataset.id,
            project=dataset.project.name,
            name=dataset.name,
            version=dataset.version,
            kind=dataset.kind,
            description=dataset.description,
            data_format=dataset.data_format,
            features=[ColumnInfo(**column) for column in dataset.manifest["features"]],
            jobs=dataset.jobs,
            created_at=dataset.created_at,
            created_by=dataset.created_by,
            path=path,
            rows=dataset.rows,
            bytes=dataset.bytes,
            revision=dataset.revision,
        )


@dataclass(frozen=True)
class RecreatedInfo:
    """`code_changed` names what is of another version than when the original was made, which may explain other bytes."""

    dataset: TrainingDatasetInfo
    equal: bool
    content_hash: str
    recorded_content_hash: str
    code_changed: list[str]


@dataclass(frozen=True)
class Manifest:
    """What a dataset consists of and came from. `groups` are only those that the reader may see.

    `label_file` holds the labels that came as a frame, as they were sent. `writes` are one entry for each time that rows were
    written, and `anomalies` tell by `write` which of them they are about. `engine` made the rows, unless they came as a frame.
    Fields with defaults are absent from older ones.
    """

    files: list[dict[str, Any]]
    features: list[dict[str, str]]
    rows: int
    data_format: str
    created_at: str
    oasthouse_version: str
    groups: list[dict[str, Any]] = field(default_factory=list)
    query: dict[str, Any] | None = None
    sql: str | None = None
    sql_options: dict[str, Any] | None = None
    splits: dict[str, Any] | None = None
    labels: list[str] = field(default_factory=list)
    label_file: dict[str, Any] | None = None
    fixed: bool = True
    tf_record_schema: dict[str, dict[str, Any]] | None = None
    anomalies: list[dict[str, Any]] = field(default_factory=list)
    writes: list[dict[str, Any]] = field(default_factory=list)
    code_versions: dict[str, str] = field(default_factory=dict)
    content_hash: str | None = None
    engine: str | None = None
