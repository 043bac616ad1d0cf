"""Feature groups that the gateway imports by itself: from files behind a connector, from SQL at one."""

# ruff: noqa: ARG001, PLR0917 - the argument lists are the original clients', with what has no meaning here

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Dict, Optional, Tuple, Union

from hops.featurestore.default import default_connection
from hops.featurestore.functions.legacy import refuse_online, require_offline
from hops.featurestore.runs import JobRun
from hops.featurestore.statistics_options import statistics_options


def _of_files(
    storage_connector: str, featuregroup: str, path: Optional[str] = None,
    primary_key: Union[str, Sequence[str], None] = None, description: str = "", featurestore: Optional[str] = None,
    featuregroup_version: int = 1, jobs: Optional[Sequence[str]] = None, descriptive_statistics: bool = True,
    feature_correlation: bool = True, feature_histograms: bool = True, cluster_analysis: bool = True,
    stat_columns: Optional[Sequence[str]] = None, num_bins: int = 20, corr_method: str = "pearson", num_clusters: int = 5,
    partition_by: Optional[Sequence[str]] = None, data_format: str = "parquet", online: bool = False,
    online_types: Optional[Mapping[str, str]] = None, offline: bool = True, am_cores: int = 1, am_memory: int = 2048,
    executor_cores: int = 1, executor_memory: int = 4096, max_executors: int = 2, *,
    features: Optional[Mapping[str, str]] = None, tags: Optional[Mapping[str, str]] = None,
    event_time: Optional[str] = None, mode: str = "create", schedule: Optional[str] = None, time_zone: str = "UTC",
    wait: bool = True, timeout: Optional[float] = None,
) -> JobRun:  # fmt: skip
    """Make a feature group of the files at `path` below an S3 or HOPSFS connector, by a job of the group's name.

    The arguments are those of the cloud client; `(storage_connector, path, featuregroup, …)` of the client on the cluster works
    as well where the path has a `/` or a `.`, which no name of a group has.

    - `path`: a file, or a folder with all below it; None is the connector's whole place. Folders `year=2019` become columns.
    - `data_format`: "parquet", "csv", "tsv", "orc", "avro" or "json" (an object a line).
    - `features`: types by name, where the files' own are not the ones that are wanted: {"zip": "string"}.
    - `mode`: "create" needs a group that is not there yet; "append", "overwrite" and "upsert" make it the first time and write
      into it afterwards, so that a `schedule` (five fields of cron, by the clocks of `time_zone`) makes sense.
    - `wait`: until it is done, at most `timeout` seconds; without, the answer is the JobRun to wait for.

    Sizes of executors do nothing. Raises what the run fails with: FeatureGroupExistsError, ConnectorNotFoundError and
    those of `source_errors.py`, such as SourceFileInvalidError, which names file, column and row.
    """
    refuse_online(online)
    require_offline(offline)
    return default_connection().import_featuregroup_s3(
        storage_connector, featuregroup, path, primary_key, description, featurestore, featuregroup_version, jobs,
        partition_by, data_format, features=features, tags=tags, event_time=event_time, mode=mode, schedule=schedule,
        time_zone=time_zone, wait=wait, timeout=timeout,
        statistics=statistics_options(
            descriptive_statistics, feature_correlation, feature_histograms, cluster_analysis, stat_columns, num_bins,
            corr_method, num_clusters,
        ),
    )  # fmt: skip


@functools.wraps(_of_files)
def import_featuregroup_s3(*args: Any, **kwargs: Any) -> JobRun:
    args, kwargs = _in_cloud_order(args, kwargs)
    try:
        inspect.signature(_of_files).bind(*args, **kwargs)
    except TypeError as error:
        # Python would name a function that no caller knows.
        raise TypeError(f"import_featuregroup_s3(): {error}") from None
    return _of_files(*args, **kwargs)


import_featuregroup_s3.__name__ = import_featuregroup_s3.__qualname__ = "import_featuregroup_s3"


def import_featuregroup_redshift(
    storage_connector: str, query: str, featuregroup: str, primary_key: Union[str, Sequence[str], None] = None,
    description: str = "", featurestore: Optional[str] = None, featuregroup_version: int = 1,
    jobs: Optional[Sequence[str]] = None, descriptive_statistics: bool = True, feature_correlation: bool = True,
    feature_histograms: bool = True, cluster_analysis: bool = True, stat_columns: Optional[Sequence[str]] = None,
    num_bins: int = 20, corr_method: str = "pearson", num_clusters: int = 5, partition_by: Optional[Sequence[str]] = None,
    online: bool = False, online_types: Optional[Mapping[str, str]] = None, offline: bool = True, am_cores: int = 1,
    am_memory: int = 2048, executor_cores: int = 1, executor_memory: int = 4096, max_executors: int = 2, *,
    features: Optional[Mapping[str, str]] = None, tags: Optional[Mapping[str, str]] = None,
    event_time: Optional[str] = None, mode: str = "create", schedule: Optional[str] = None, time_zone: str = "UTC",
    wait: bool = True, timeout: Optional[float] = None,
) -> JobRun:  # fmt: skip
    """Make a feature group of the rows that `query` gives at a REDSHIFT or JDBC connector, by a job of the group's name.

    Everything else as in `import_featuregroup_s3`.
    """
    refuse_online(online)
    require_offline(offline)
    return default_connection().import_featuregroup_redshift(
        storage_connector, query, featuregroup, primary_key, description, featurestore, featuregroup_version, jobs,
        partition_by, features=features, tags=tags, event_time=event_time, mode=mode, schedule=schedule,
        time_zone=time_zone, wait=wait, timeout=timeout,
        statistics=statistics_options(
            descriptive_statistics, feature_correlation, feature_histograms, cluster_analysis, stat_columns, num_bins,
            corr_method, num_clusters,
        ),
    )  # fmt: skip


def _in_cloud_order(args: Tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tuple[Tuple[Any, ...], Dict[str, Any]]:
    """The cluster's client has the path before the group."""
    keywords = dict(kwargs)
    if len(args) == 2 and "featuregroup" in keywords and "path" not in keywords:
        keywords["path"] = args[1]
        return args[:1], keywords
    if len(args) >= 3 and _is_path(args[1]) and not _is_path(args[2]):
        return (args[0], args[2], args[1], *args[3:]), keywords
    return args, keywords


def _is_path(given: Any) -> bool:
    return isinstance(given, str) and ("/" in given or "." in given)
