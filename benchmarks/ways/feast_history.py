"""Feast with its DuckDB offline store. It runs in an environment of its own (`benchmarks/feast.py`)."""

from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, types  # type: ignore[import-not-found]
from feast.data_format import ParquetFormat  # type: ignore[import-not-found]
from feast.value_type import ValueType  # type: ignore[import-not-found]

from benchmarks.histories import EVENT_TIME, KEY, LABEL_TIME, schema_of
from benchmarks.ways import Answered, Task, Way

_TYPES = {"double": types.Float64, "int": types.Int32, "string": types.String, "boolean": types.Bool}
# What feast takes for the time of a label.
_TIME = "event_timestamp"


def prepare(task: Task) -> Way:
    labels = pq.read_table(task["labels"]).to_pandas().rename(columns={LABEL_TIME: _TIME})
    store = _store(Path(task["scratch"]))
    views = [_view(group, files, task["lookback"]) for group, files in task["groups"].items()]
    store.apply([Entity(name=KEY, join_keys=[KEY], value_type=ValueType.INT64), *views])
    features = [f"{view.name}:{field.name}" for view in views for field in view.features]

    def run() -> Answered:
        table = store.get_historical_features(entity_df=labels, features=features).to_arrow()
        return Answered(table.num_rows, table.rename_columns({_TIME: LABEL_TIME}))

    return run


def _store(directory: Path) -> FeatureStore:
    return FeatureStore(
        config=RepoConfig(
            project="bench",
            provider="local",
            registry=str(directory / "registry.db"),
            offline_store={"type": "duckdb"},
            online_store={"type": "sqlite", "path": str(directory / "online.db")},
            repo_path=directory,
        )
    )


def _view(group: str, files: list[str], lookback: int | None) -> FeatureView:
    fields = [Field(name=name, dtype=_TYPES[kind]) for name, kind in schema_of(group).items() if kind in _TYPES]
    source = FileSource(
        name=f"{group}_files",
        path=str(Path(files[0]).parent / "*.parquet"),
        timestamp_field=EVENT_TIME,
        file_format=ParquetFormat(),
    )
    return FeatureView(
        name=group,
        entities=[Entity(name=KEY, join_keys=[KEY], value_type=ValueType.INT64)],
        ttl=None if lookback is None else timedelta(microseconds=lookback),
        schema=[*fields, Field(name=KEY, dtype=types.Int64)],
        source=source,
    )
