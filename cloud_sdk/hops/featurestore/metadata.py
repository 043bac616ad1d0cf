"""What the gateway says about things, as frozen values that show themselves in a notebook.

Built from JSON; fields that a newer gateway adds are ignored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, List, Optional, Tuple, Type, TypeVar

_T = TypeVar("_T")
_Row = Tuple[str, ...]


def from_json(kind: Type[_T], answer: Mapping[str, Any]) -> _T:
    """Raises TypeError if the answer lacks a field that `kind` cannot do without."""
    known = {each.name for each in dataclasses.fields(kind) if each.init}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in answer.items() if name in known})


@dataclass(frozen=True)
class Feature:
    name: str
    type: str = ""
    description: Optional[str] = None
    primary: bool = False
    partition: bool = False


@dataclass(frozen=True)
class FeatureGroup:
    """`table_version` is the version of its Delta table, `revision` that of its metadata."""

    name: str
    version: int
    project: str
    featurestore: str
    features: Sequence[Feature]
    primary_key: Sequence[str] = ()
    kind: str = "CACHED"
    id: Optional[str] = None
    description: Optional[str] = None
    event_time: Optional[str] = None
    partition_by: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    jobs: Sequence[str] = ()
    created_at: Optional[str] = None
    created_by: Optional[str] = None
    updated_at: Optional[str] = None
    table_version: Optional[int] = None
    revision: Optional[int] = None

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> FeatureGroup:
        return from_json(cls, {**answer, "features": features_from_json(answer.get("features", ()))})

    @property
    def versioned_name(self) -> str:
        return f"{self.name}_{self.version}"

    @property
    def title(self) -> str:
        return f"Feature group {self.versioned_name} in {self.featurestore}"

    def __repr__(self) -> str:
        return _text(self.title, self.description, _feature_rows(self.features))

    def _repr_html_(self) -> str:
        return _html(self.title, self.description, _feature_rows(self.features))


@dataclass(frozen=True)
class TrainingDataset:
    name: str
    version: int
    project: str
    features: Sequence[Feature]
    data_format: str = "parquet"
    kind: str = "INTERNAL"
    id: Optional[str] = None
    description: Optional[str] = None
    jobs: Sequence[str] = ()
    created_at: Optional[str] = None
    created_by: Optional[str] = None
    path: Optional[str] = None
    rows: Optional[int] = None
    bytes: Optional[int] = None
    revision: Optional[int] = None

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> TrainingDataset:
        return from_json(cls, {**answer, "features": features_from_json(answer.get("features", ()))})

    @property
    def versioned_name(self) -> str:
        return f"{self.name}_{self.version}"

    @property
    def title(self) -> str:
        return f"Training dataset {self.versioned_name} of {self.project}: {self.rows} rows as {self.data_format}"

    def __repr__(self) -> str:
        return _text(self.title, self.description, _feature_rows(self.features))

    def _repr_html_(self) -> str:
        return _html(self.title, self.description, _feature_rows(self.features))


@dataclass(frozen=True)
class RecreatedTrainingDataset:
    """`equal`: its files are those of the original to the byte. `code_changed` tells what else might explain if not."""

    dataset: TrainingDataset
    equal: bool
    content_hash: str
    recorded_content_hash: str
    code_changed: Sequence[str] = ()

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> RecreatedTrainingDataset:
        return from_json(cls, {**answer, "dataset": TrainingDataset.from_json(answer["dataset"])})


@dataclass(frozen=True)
class FeatureStoreMetadata:
    """Both mappings go from `name_version` to what it is."""

    featurestore: str
    project: str
    featuregroups: Mapping[str, FeatureGroup]
    training_datasets: Mapping[str, TrainingDataset]

    def __repr__(self) -> str:
        return _text(f"Feature store {self.featurestore}", None, self._rows())

    def _repr_html_(self) -> str:
        return _html(f"Feature store {self.featurestore}", None, self._rows())

    def _rows(self) -> List[_Row]:
        groups = [
            ("feature group", key, f"{len(group.features)} features") for key, group in self.featuregroups.items()
        ]
        datasets = [("training dataset", key, each.data_format) for key, each in self.training_datasets.items()]
        return [("kind", "name", ""), *groups, *datasets]


@dataclass(frozen=True)
class InsertResult:
    """`validation` says what the group's rules made of the rows; None: it has none.

    `transfer` says which way the rows went, `direct` into S3 or as a `stream` to the gateway, and `why`.
    """

    rows_received: int
    rows_inserted: int
    rows_updated: int = 0
    table_version: Optional[int] = None
    mode: str = "append"
    validation: Optional[Mapping[str, Any]] = None
    transfer: Optional[Mapping[str, str]] = None


@dataclass(frozen=True)
class Commit:
    """One write to a feature group. `version` and `committed_at` both name the state after it, for `as_of`.

    Counts are None where the table's log does not tell them, `member` and `key_id` in groups of other projects.
    """

    version: int
    committed_at: str
    operation: str
    rows_inserted: Optional[int] = None
    rows_updated: Optional[int] = None
    rows_deleted: Optional[int] = None
    member: Optional[str] = None
    key_id: Optional[str] = None


@dataclass(frozen=True)
class Share:
    id: str
    owner: str
    receiver: str
    what: str
    state: str
    offered_by: Optional[str] = None
    offered_at: Optional[str] = None
    answered_by: Optional[str] = None
    answered_at: Optional[str] = None
    expires_at: Optional[str] = None


@dataclass(frozen=True)
class StorageConnector:
    """`secret` is a reference, and None for who may not change the connector; `has_secret` says whether there is one.

    `secret_source` is "reference" or "stored"; the fingerprint of a stored one differs where the secret does.
    `external_id` is what the gateway says when it assumes the role of `options`. `built_in` ones cannot be changed.
    """

    name: str
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    description: Optional[str] = None
    project: Optional[str] = None
    has_secret: bool = False
    secret: Optional[str] = None
    id: Optional[str] = None
    created_at: Optional[str] = None
    created_by: Optional[str] = None
    updated_at: Optional[str] = None
    revision: Optional[int] = None
    built_in: bool = False
    external_id: Optional[str] = None
    secret_source: Optional[str] = None
    secret_fingerprint: Optional[str] = None


@dataclass(frozen=True)
class QueryExplanation:
    """`groups` are the feature groups chosen, each with `columns`, `why` it was and the `grant` it is read by.

    `labels` tells what the labels must have, where there are labels. `transfer` says in its `mode` how the rows will travel
    (`direct`, `presigned`, `files` or `stream`), and `why`.
    """

    sql: str
    text: str = ""
    join_key: Sequence[str] = ()
    join_type: str = "inner"
    columns: Sequence[str] = ()
    labels: Optional[Mapping[str, Any]] = None
    groups: Sequence[Mapping[str, Any]] = ()
    transfer: Optional[Mapping[str, Any]] = None

    def __repr__(self) -> str:
        return self.text or _text("Query", self.sql, self._rows())

    def _repr_html_(self) -> str:
        return (
            _html("Query", f"joined on {', '.join(self.join_key) or 'nothing'}", self._rows())
            + f"<pre>{escape(self.sql)}</pre>"
        )

    def _rows(self) -> List[_Row]:
        names = ("featurestore", "name", "version", "columns", "why", "grant")
        return [names, *(tuple(_cell(group.get(name)) for name in names) for group in self.groups)]


@dataclass(frozen=True)
class SqlExplanation:
    """`tables` are the feature groups that the statement names, each with the `grant` it is read by."""

    sql: str
    text: str = ""
    dialect: str = ""
    tables: Sequence[Mapping[str, Any]] = ()

    def __repr__(self) -> str:
        return self.text or _text("SQL", self.sql, self._rows())

    def _repr_html_(self) -> str:
        return _html("SQL", f"read as {self.dialect}", self._rows()) + f"<pre>{escape(self.sql)}</pre>"

    def _rows(self) -> List[_Row]:
        names = ("table", "featurestore", "name", "version", "table_version", "grant")
        return [names, *(tuple(_cell(table.get(name)) for name in names) for table in self.tables)]


@dataclass(frozen=True)
class Identity:
    """Who the key makes its holder."""

    key_id: str
    project: Optional[str] = None
    member: Optional[str] = None
    role: Optional[str] = None
    environment: Optional[str] = None
    scopes: Sequence[str] = ()
    expires_at: Optional[str] = None
    operator: bool = False


def features_from_json(features: Sequence[Mapping[str, Any]]) -> Tuple[Feature, ...]:
    return tuple(from_json(Feature, each) for each in features)


def _feature_rows(features: Sequence[Feature]) -> List[_Row]:
    rows = [(each.name, each.type, _role(each), each.description or "") for each in features]
    return [("feature", "type", "", "description"), *rows]


def _role(feature: Feature) -> str:
    return " ".join(word for word, said in (("primary", feature.primary), ("partition", feature.partition)) if said)


def _cell(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _text(title: str, description: Optional[str], rows: Sequence[_Row]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join([title, *([description] if description else []), *("  " + line for line in lines)])


def _html(title: str, description: Optional[str], rows: Sequence[_Row]) -> str:
    head, *body = ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    note = f"<p>{escape(description)}</p>" if description else ""
    table = f"<table><thead>{head.replace('td>', 'th>')}</thead><tbody>{''.join(body)}</tbody></table>"
    return f"<p><strong>{escape(title)}</strong></p>{note}{table}"
