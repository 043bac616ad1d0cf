"""Training datasets: make, fill, read, make again, delete."""

# ruff: noqa: ARG001, PLR0917 - the argument lists are the original clients', with what has no meaning here

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Dict, Literal, Optional, Union, overload

from hops.featurestore.default import default_connection
from hops.featurestore.errors import InvalidInputError
from hops.featurestore.expressions import Lookback, State
from hops.featurestore.frames import is_frame
from hops.featurestore.functions.legacy import UNTOUCHED_FORMAT, chosen_format, refuse_online
from hops.featurestore.metadata import RecreatedTrainingDataset, TrainingDataset
from hops.featurestore.runs import JobRun
from hops.featurestore.statistics_options import statistics_options
from hops.featurestore.tf_records import schema_of_frame
from hops.featurestore.training_batches import TrainingBatches


def _of_features(
    training_dataset: str, features: Any = None, sql_query: Optional[str] = None,
    featurestore: Optional[str] = None, featuregroups_version_dict: Optional[Mapping[str, int]] = None,
    join_key: Union[str, Sequence[str], None] = None, description: str = "", data_format: str = UNTOUCHED_FORMAT,
    training_dataset_version: int = 1, overwrite: bool = False, jobs: Optional[Sequence[str]] = None, online: bool = False,
    descriptive_statistics: bool = True, feature_correlation: bool = True, feature_histograms: bool = True,
    cluster_analysis: bool = True, stat_columns: Optional[Sequence[str]] = None, num_bins: int = 20,
    correlation_method: str = "pearson", num_clusters: int = 5, fixed: bool = True, sink: Optional[str] = None,
    path: Optional[str] = None, am_cores: int = 1, am_memory: int = 2048, executor_cores: int = 1,
    executor_memory: int = 4096, max_executors: int = 2, *, join_type: Optional[str] = None,
    joins: Optional[Mapping[str, Any]] = None, spine: Any = None, event_time: Optional[str] = None,
    lookback: Union[Lookback, Mapping[str, Lookback]] = None, as_known: bool = False,
    as_of: Union[State, Mapping[str, State]] = None, splits: Optional[Mapping[str, float]] = None,
    split_by: Union[str, Sequence[str], None] = None, split_time: Optional[str] = None, seed: int = 0,
    label: Optional[str] = None, engine: Optional[str] = None, background: bool = False,
) -> Any:  # fmt: skip
    """Make a training dataset of joined features, of `sql_query`, or of a frame's rows.

    The arguments are those of the cloud client since 1.1: `(training_dataset, features, …)`; a frame in place of `features` is
    the rows. By the type of the first argument the two older lists work as well:
    `(features, training_dataset, featurestore, featuregroups_version_dict, join_key, description, …)` of the cloud client 1.0,
    `(df, training_dataset, description, featurestore, data_format, …)` of the client on the cluster.

    With `spine` features are attached to labels as in `get_features`, whose arguments from `join_type` to `as_of` these are.
    `splits` are shares by name, as {"train": 0.8, "test": 0.2}: each row by itself, or by entity, all rows with equal values in
    the columns `split_by` together, or by time, the earliest rows of the column `split_time` first.

    `label` is the column that is to be predicted, unless `spine` has one; it is compared with the others for features that
    hold the answer (`anomalies` in the manifest). With `fixed` arrays of one length are fixed features of tfrecords.

    With `background` a job of its name makes it, and the answer is the JobRun to wait for; a job cannot keep rows of a frame.
    `data_format` is "parquet", "csv", "tsv", "tfrecords", "avro", "orc", "npy" or "hdf5"; left at the original
    default it is "parquet". `sink` is a storage connector to whose bucket the files go, to `path` there, in place of the
    project's own place. From `descriptive_statistics` to `num_clusters`: which statistics are computed of it. Arguments about
    job sizes do nothing. With `engine="spark"` the Spark of the gateway's operator joins the features, for what is too large
    for one machine; the rows are the same.

    Raises TrainingDatasetExistsError, FeatureNotFoundError, InferJoinKeyError.
    """
    refuse_online(online)
    return default_connection().create_training_dataset(
        training_dataset, features, featurestore, featuregroups_version_dict, join_key, description=description,
        data_format=chosen_format(data_format), training_dataset_version=training_dataset_version, overwrite=overwrite,
        jobs=jobs, sql_query=sql_query, join_type=join_type, joins=joins, spine=spine, event_time=event_time,
        lookback=lookback, as_known=as_known, as_of=as_of, splits=splits, split_by=split_by, split_time=split_time, seed=seed,
        label=label, fixed=fixed, sink=sink, path=path, engine=engine, background=background,
        statistics=statistics_options(
            descriptive_statistics, feature_correlation, feature_histograms, cluster_analysis, stat_columns, num_bins,
            correlation_method, num_clusters,
        ),
    )  # fmt: skip


def _of_features_1_0(
    features: Sequence[str], training_dataset: str, featurestore: Optional[str] = None,
    featuregroups_version_dict: Optional[Mapping[str, int]] = None, join_key: Union[str, Sequence[str], None] = None,
    description: str = "", data_format: str = UNTOUCHED_FORMAT, training_dataset_version: int = 1, overwrite: bool = False,
    jobs: Optional[Sequence[str]] = None, descriptive_statistics: bool = True, feature_correlation: bool = True,
    feature_histograms: bool = True, cluster_analysis: bool = True, stat_columns: Optional[Sequence[str]] = None,
    num_bins: int = 20, correlation_method: str = "pearson", num_clusters: int = 5, fixed: bool = True,
    sink: Optional[str] = None, am_cores: int = 1, am_memory: int = 2048, executor_cores: int = 1,
    executor_memory: int = 4096, max_executors: int = 2,
) -> Any:  # fmt: skip
    return default_connection().create_training_dataset(
        training_dataset, features, featurestore, featuregroups_version_dict, join_key, description=description,
        data_format=chosen_format(data_format), training_dataset_version=training_dataset_version, overwrite=overwrite,
        jobs=jobs, fixed=fixed, sink=sink,
        statistics=statistics_options(
            descriptive_statistics, feature_correlation, feature_histograms, cluster_analysis, stat_columns, num_bins,
            correlation_method, num_clusters,
        ),
    )  # fmt: skip


def _of_frame(
    df: Any, training_dataset: str, description: str = "", featurestore: Optional[str] = None,
    data_format: str = UNTOUCHED_FORMAT, training_dataset_version: int = 1, jobs: Optional[Sequence[str]] = None,
    descriptive_statistics: bool = True, feature_correlation: bool = True, feature_histograms: bool = True,
    cluster_analysis: bool = True, stat_columns: Optional[Sequence[str]] = None, num_bins: int = 20,
    corr_method: str = "pearson", num_clusters: int = 5, petastorm_args: Optional[Mapping[str, Any]] = None,
    fixed: bool = True, sink: Optional[str] = None, *, overwrite: bool = False, splits: Optional[Mapping[str, float]] = None,
    split_by: Union[str, Sequence[str], None] = None, split_time: Optional[str] = None, seed: int = 0,
    label: Optional[str] = None,
) -> Any:  # fmt: skip
    return default_connection().create_training_dataset(
        training_dataset, featurestore=featurestore, description=description, data_format=chosen_format(data_format),
        training_dataset_version=training_dataset_version, overwrite=overwrite, jobs=jobs, df=df, splits=splits,
        split_by=split_by, split_time=split_time, seed=seed, label=label, fixed=fixed, sink=sink,
        statistics=statistics_options(
            descriptive_statistics, feature_correlation, feature_histograms, cluster_analysis, stat_columns, num_bins,
            corr_method, num_clusters,
        ),
    )  # fmt: skip


@overload
def create_training_dataset(
    training_dataset: str, features: Any = ..., *args: Any, background: Literal[True], **kwargs: Any
) -> JobRun: ...
@overload
def create_training_dataset(
    training_dataset: str, features: Union[str, Sequence[str], None] = ..., *args: Any, **kwargs: Any
) -> TrainingDataset: ...
@overload
def create_training_dataset(training_dataset: str, df: Any, *args: Any, **kwargs: Any) -> TrainingDataset: ...
@overload
def create_training_dataset(
    features: Sequence[str], training_dataset: str, *args: Any, **kwargs: Any
) -> TrainingDataset: ...
@overload
def create_training_dataset(df: Any, training_dataset: str, *args: Any, **kwargs: Any) -> TrainingDataset: ...
@functools.wraps(_of_features)
def create_training_dataset(*args: Any, **kwargs: Any) -> Any:
    if "df" in kwargs and args and isinstance(args[0], str):
        kwargs["features"] = kwargs.pop("df")  # a frame may stand there
    shape = _shape(args, kwargs)
    try:
        inspect.signature(shape).bind(*args, **kwargs)
    except TypeError as error:
        # Python would name a function that no caller knows.
        raise TypeError(f"create_training_dataset(): {error}") from None
    return shape(*args, **kwargs)


create_training_dataset.__name__ = create_training_dataset.__qualname__ = "create_training_dataset"


def _shape(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Callable[..., Any]:
    """Which of the three argument lists is meant; Python then checks the rest against it."""
    if not args:
        return _of_frame if "df" in kwargs else _of_features
    first = args[0]
    if isinstance(first, str):
        return _of_features
    if isinstance(first, (list, tuple)) and first and all(isinstance(name, str) for name in first):
        return _of_features_1_0
    if is_frame(first):
        return _of_frame
    raise InvalidInputError(
        f"The first argument is a {type(first).__name__}: neither a name, nor a list of features, nor a frame."
    )


def get_training_dataset(
    training_dataset: str, featurestore: Optional[str] = None, training_dataset_version: int = 1,
    dataframe_type: Any = "default", *, as_: Optional[str] = None, split: Optional[str] = None,
    columns: Optional[Sequence[str]] = None,
) -> Any:  # fmt: skip
    """All rows, or those of one split, or an error; never a part of them. `dataframe_type` or `as_` as in `get_featuregroup`.

    Raises TrainingDatasetNotFoundError, AnswerCutError.
    """
    return default_connection().get_training_dataset(
        training_dataset, featurestore, training_dataset_version, dataframe_type, as_=as_, split=split, columns=columns
    )


def iter_training_dataset(
    training_dataset: str, featurestore: Optional[str] = None, training_dataset_version: int = 1, *,
    split: Optional[str] = None, columns: Optional[Sequence[str]] = None, batch_rows: int = 1024, as_: str = "arrow",
) -> TrainingBatches:  # fmt: skip
    """Batches of `batch_rows` rows that arrive while they are used, for training loops and what does not fit into memory.

    `as_` is "arrow", "pandas", "polars", or "numpy": a dict of one array for each column. Each `iter()` of the answer
    begins again, and `shard(index, count)` is one worker's share.
    Raises TrainingDatasetNotFoundError; while iterating AnswerCutError, or TrainingDatasetChangedError once other rows were
    written.
    """
    return default_connection().iter_training_dataset(
        training_dataset, featurestore, training_dataset_version, split=split, columns=columns, batch_rows=batch_rows,
        as_=as_,
    )  # fmt: skip


def insert_into_training_dataset(
    df: Any, training_dataset: str, featurestore: Optional[str] = None, training_dataset_version: int = 1,
    descriptive_statistics: bool = True, feature_correlation: bool = True, feature_histograms: bool = True,
    cluster_analysis: bool = True, stat_columns: Optional[Sequence[str]] = None, num_bins: int = 20,
    corr_method: str = "pearson", num_clusters: int = 5, write_mode: str = "overwrite",
) -> TrainingDataset:  # fmt: skip
    """Put the rows of `df` in place of those there, or with `write_mode="append"` after them; split as the others were.

    Columns are matched by name and must be all of the dataset's. Arguments about statistics do nothing. Raises
    SchemaMismatchError, which names what differs, and TrainingDatasetChangedError where somebody else wrote meanwhile.
    """
    return default_connection().insert_into_training_dataset(
        df, training_dataset, featurestore, training_dataset_version, write_mode
    )


def recreate_training_dataset(
    training_dataset: str, training_dataset_version: int = 1, *, new_version: Optional[int] = None,
    new_name: Optional[str] = None, featurestore: Optional[str] = None,
) -> RecreatedTrainingDataset:  # fmt: skip
    """Make it again, from its features as they were then; the next free version unless `new_version` says another.

    `equal` in the answer tells whether the files are the same to the byte. Raises NotReproducibleError, which says what
    is not there any more.
    """
    return default_connection().recreate_training_dataset(
        training_dataset, training_dataset_version, new_version=new_version, new_name=new_name,
        featurestore=featurestore,
    )  # fmt: skip


def get_training_dataset_tf_record_schema(
    training_dataset: str, training_dataset_version: int = 1, featurestore: Optional[str] = None
) -> Dict[str, Any]:
    """What `tf.io.parse_single_example` reads its records with: by feature a `tf.io.FixedLenFeature` or `VarLenFeature`.

    Without TensorFlow the same as `RecordFeature`, with `kind`, `dtype` and `shape`. Raises NotSupportedError for a
    dataset that is not written as tfrecords.
    """
    return default_connection().get_training_dataset_tf_record_schema(
        training_dataset, training_dataset_version, featurestore
    )


def get_dataframe_tf_record_schema(spark_df: Any, fixed: bool = True) -> Dict[str, Any]:
    """The schema that a training dataset of this frame would have as tfrecords; any frame will do. Asks no gateway.

    With `fixed` arrays that are of one length in every row are fixed, else none is.
    """
    return schema_of_frame(spark_df, fixed=fixed)


def get_training_dataset_path(
    training_dataset: str, featurestore: Optional[str] = None, training_dataset_version: int = 1
) -> Optional[str]:
    """Where its files are, as the gateway names it."""
    return default_connection().get_training_dataset_path(training_dataset, featurestore, training_dataset_version)


def get_training_dataset_manifest(
    training_dataset: str, featurestore: Optional[str] = None, training_dataset_version: int = 1
) -> Dict[str, Any]:
    """Its files with sizes, SHA-256 and row counts, and the query and table versions it was made from."""
    return default_connection().get_training_dataset_manifest(training_dataset, featurestore, training_dataset_version)


def delete_training_dataset(
    training_dataset: str, training_dataset_version: int = 1, featurestore: Optional[str] = None
) -> None:
    """Delete one version, with its files. Raises TrainingDatasetNotFoundError."""
    default_connection().delete_training_dataset(training_dataset, training_dataset_version, featurestore)
