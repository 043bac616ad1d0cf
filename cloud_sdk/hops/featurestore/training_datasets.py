"""Making, reading and deleting training datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, ContextManager, Dict, Optional, Union

from hops.featurestore import spines
from hops.featurestore.arguments import checked_version, column_list
from hops.featurestore.background import require_no_rows, start_in_background
from hops.featurestore.containers import resolve_container
from hops.featurestore.download import fetch
from hops.featurestore.errors import InvalidInputError, NotSupportedError
from hops.featurestore.expressions import Lookback, State, feature_expression, require_spine
from hops.featurestore.frames import is_column, is_frame
from hops.featurestore.metadata import RecreatedTrainingDataset, TrainingDataset
from hops.featurestore.session import Operations, url_path
from hops.featurestore.statements import question
from hops.featurestore.tf_records import schema_of_frame, schema_of_manifest
from hops.featurestore.training_batches import TrainingBatches, training_batches
from hops.featurestore.transport import Request
from hops.featurestore.upload import command_request, frame_request

DATA_FORMATS = ("parquet", "csv", "tsv", "tfrecords", "avro", "orc", "npy", "hdf5")
WRITE_MODES = ("overwrite", "append")
_INSTEAD = {
    "petastorm": "petastorm no longer works with current versions of pyarrow: write parquet, which its readers read.",
    "image": "keep images where they are, and write parquet with a column of their addresses.",
}


class TrainingDatasetOperations(Operations):
    def create_training_dataset(
        self, training_dataset: str, features: Any = None, featurestore: Optional[str] = None,
        featuregroups_version_dict: Optional[Mapping[str, int]] = None, join_key: Union[str, Sequence[str], None] = None,
        *, description: str = "", data_format: str = "parquet", training_dataset_version: int = 1, overwrite: bool = False,
        jobs: Optional[Sequence[str]] = None, df: Any = None, sql_query: Optional[str] = None,
        join_type: Optional[str] = None, joins: Optional[Mapping[str, Any]] = None, spine: Any = None,
        event_time: Optional[str] = None, lookback: Union[Lookback, Mapping[str, Lookback]] = None, as_known: bool = False,
        as_of: Union[State, Mapping[str, State]] = None, splits: Optional[Mapping[str, float]] = None,
        split_by: Union[str, Sequence[str], None] = None, split_time: Optional[str] = None, seed: int = 0,
        label: Optional[str] = None, fixed: bool = True, sink: Optional[str] = None, path: Optional[str] = None,
        engine: Optional[str] = None, statistics: Optional[Mapping[str, Any]] = None, background: bool = False,
    ) -> Any:  # fmt: skip
        """From `features`, which the gateway joins, from SQL, or from the rows of `df`, which `features` may be, too.

        The TrainingDataset, or in the background the JobRun that makes it.
        """
        if df is None and is_frame(features) and not is_column(features):
            df, features = features, None
        if background:
            require_no_rows(df=df, spine=spine)
        command = _command(
            training_dataset, training_dataset_version, data_format, description=description or None,
            overwrite=overwrite or None, jobs=list(jobs) if jobs else None, label=label, fixed=None if fixed else False,
            sink=sink, path=path, engine=engine, statistics=statistics, splits=_splits(splits, split_by, split_time, seed),
        )  # fmt: skip
        require_spine(spine, event_time=event_time)
        joined: Dict[str, Any] = {
            "featuregroups_version_dict": featuregroups_version_dict or None, "join_key": join_key, "join_type": join_type,
            "joins": joins or None, "lookback": lookback, "as_known": as_known, "as_of": as_of,
        }  # fmt: skip
        if df is not None:
            making = self._of_frame(
                command, df, featurestore, features=features, sql_query=sql_query, spine=spine, **joined
            )
        elif sql_query is not None:
            making = self._of_sql(command, sql_query, featurestore, features=features, spine=spine, **joined)
        else:
            expression = feature_expression(() if features is None else features, featurestore=featurestore, **joined)
            making = spines.kept(self._datasets_path(), command, expression, spine, event_time)
        if background:
            return start_in_background(self._session, making)
        with making as request:
            return TrainingDataset.from_json(self._session.transport.json(request))

    def _of_frame(
        self, command: Mapping[str, Any], df: Any, featurestore: Optional[str], **of_features: Any
    ) -> ContextManager[Request]:
        _require_nothing_of_features(**of_features)
        path = url_path("projects", self._session.owner_of(featurestore), "training-datasets")
        return frame_request(path, df, command=command)

    def _of_sql(
        self, command: Mapping[str, Any], sql_query: str, featurestore: Optional[str], **of_features: Any
    ) -> ContextManager[Request]:
        _require_nothing_of_features(**of_features)
        asked = {**command, "sql": question(sql_query, featurestore)}
        return nullcontext(command_request(self._datasets_path(), asked))

    def _datasets_path(self) -> str:
        return url_path("projects", self._session.project, "training-datasets")

    def get_training_dataset(
        self,
        training_dataset: str,
        featurestore: Optional[str] = None,
        training_dataset_version: int = 1,
        dataframe_type: str = "default",
        *,
        as_: Optional[str] = None,
        split: Optional[str] = None,
        columns: Optional[Sequence[str]] = None,
    ) -> Any:
        container = resolve_container(dataframe_type, as_)
        path = self._session.dataset_path(training_dataset, training_dataset_version, featurestore, "rows")
        query = {} if split is None else {"split": split}
        if columns:
            query["columns"] = column_list(columns)
        return fetch(self._session.transport, Request("GET", path, query=query), container)

    def iter_training_dataset(
        self,
        training_dataset: str,
        featurestore: Optional[str] = None,
        training_dataset_version: int = 1,
        *,
        split: Optional[str] = None,
        columns: Optional[Sequence[str]] = None,
        batch_rows: int = 1024,
        as_: str = "arrow",
    ) -> TrainingBatches:
        path = self._session.dataset_path(training_dataset, training_dataset_version, featurestore, "rows")
        manifest = self.get_training_dataset_manifest(training_dataset, featurestore, training_dataset_version)
        return training_batches(
            self._session.transport,
            path,
            manifest,
            split=split,
            columns=columns,
            batch_rows=batch_rows,
            container=as_,
        )

    def insert_into_training_dataset(
        self,
        df: Any,
        training_dataset: str,
        featurestore: Optional[str] = None,
        training_dataset_version: int = 1,
        write_mode: str = "overwrite",
    ) -> TrainingDataset:
        if write_mode not in WRITE_MODES:
            raise InvalidInputError(f"{write_mode!r} is no way to insert.", candidates=WRITE_MODES)
        path = self._session.dataset_path(training_dataset, training_dataset_version, featurestore, "rows")
        with frame_request(path, df, query={"mode": write_mode}) as request:
            return TrainingDataset.from_json(self._session.transport.json(request))

    def recreate_training_dataset(
        self,
        training_dataset: str,
        training_dataset_version: int = 1,
        *,
        new_version: Optional[int] = None,
        new_name: Optional[str] = None,
        featurestore: Optional[str] = None,
    ) -> RecreatedTrainingDataset:
        path = self._session.dataset_path(training_dataset, training_dataset_version, featurestore, "recreate")
        called: Dict[str, Any] = {} if new_name is None else {"name": new_name}
        if new_version is not None:
            called["version"] = checked_version(new_version, "new_version")
        return RecreatedTrainingDataset.from_json(self._session.transport.json(command_request(path, called)))

    def get_training_dataset_tf_record_schema(
        self, training_dataset: str, training_dataset_version: int = 1, featurestore: Optional[str] = None
    ) -> Dict[str, Any]:
        manifest = self.get_training_dataset_manifest(training_dataset, featurestore, training_dataset_version)
        return schema_of_manifest(manifest, training_dataset)

    @staticmethod
    def get_dataframe_tf_record_schema(spark_df: Any, fixed: bool = True) -> Dict[str, Any]:
        return schema_of_frame(spark_df, fixed=fixed)

    def get_training_dataset_path(
        self, training_dataset: str, featurestore: Optional[str] = None, training_dataset_version: int = 1
    ) -> Optional[str]:
        answer = self._session.get(self._session.dataset_path(training_dataset, training_dataset_version, featurestore))
        return TrainingDataset.from_json(answer).path

    def get_training_dataset_manifest(
        self, training_dataset: str, featurestore: Optional[str] = None, training_dataset_version: int = 1
    ) -> Dict[str, Any]:
        path = self._session.dataset_path(training_dataset, training_dataset_version, featurestore, "manifest")
        manifest: Dict[str, Any] = self._session.get(path)
        return manifest

    def delete_training_dataset(
        self, training_dataset: str, training_dataset_version: int = 1, featurestore: Optional[str] = None
    ) -> None:
        self._session.send(
            "DELETE", self._session.dataset_path(training_dataset, training_dataset_version, featurestore)
        )


def _require_nothing_of_features(**arguments: Any) -> None:
    for name, value in arguments.items():
        if value is not None and value is not False:
            raise InvalidInputError(
                f"{name}= is about features to be joined, and here are rows already.", hint=f"Leave out {name}=."
            )


def _splits(
    shares: Optional[Mapping[str, float]], by: Union[str, Sequence[str], None], time: Optional[str], seed: int
) -> Optional[Dict[str, Any]]:
    if shares is None:
        if by is not None or time is not None:
            raise InvalidInputError(
                "split_by and split_time say how to split, and splits= is not there.",
                hint='For example splits={"train": 0.8, "test": 0.2}.',
            )
        return None
    if not isinstance(shares, Mapping):
        raise InvalidInputError('splits= is a dict of shares, such as {"train": 0.8, "test": 0.2}.')
    if by is not None and time is not None:
        raise InvalidInputError("Rows are split by entity or by time, not by both.")
    way: Dict[str, Any] = {"by": "random"}
    if by is not None:
        way = {"by": "entity", "columns": [by] if isinstance(by, str) else list(by)}
    elif time is not None:
        way = {"by": "time", "columns": [time]}
    return {"shares": dict(shares), **way, "seed": seed}


def _command(name: str, version: int, data_format: str, **further: Any) -> Dict[str, Any]:
    """Without what is None, for which the gateway has defaults."""
    if data_format not in DATA_FORMATS:
        hint = _INSTEAD.get(data_format)
        raise NotSupportedError(
            f"There is no format {data_format!r}.", hint=hint, candidates=() if hint else DATA_FORMATS
        )
    number = checked_version(version, "training_dataset_version")
    said = {key: value for key, value in further.items() if value is not None}
    return {"name": name, "version": number, "data_format": data_format, **said}
