"""Feature groups: create, fill, read, describe, delete."""

# ruff: noqa: ARG001, PLR0917 - the argument lists are the original clients', with what has no meaning here

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Dict, Optional, Union

from hops.featurestore.default import default_connection
from hops.featurestore.functions.legacy import refuse_given, refuse_online, refuse_online_in_place_of, require_offline
from hops.featurestore.metadata import FeatureGroup, InsertResult
from hops.featurestore.statistics_options import statistics_options
from hops.featurestore.table_credentials import TableCredentials


def get_featuregroup(
    featuregroup: str, featurestore: Optional[str] = None, featuregroup_version: int = 1, dataframe_type: Any = "default",
    jdbc_args: Optional[Mapping[str, Any]] = None, online: bool = False, *, as_: Optional[str] = None,
    columns: Optional[Sequence[str]] = None, as_of: Any = None,
) -> Any:  # fmt: skip
    """All rows, or an error; never a part of them.

    `as_of` gives the rows as they were: a `version` out of `get_commits`, or a time (a datetime with its zone, or a text such
    as "2026-03-01T12:00:00Z"). A feature that was appended later is null in them.

    `dataframe_type` or `as_`: "pandas", "polars", "pyarrow", "numpy", "spark" (with an active Spark session), or "reader",
    which gives rows as they arrive for what does not fit into memory. `jdbc_args` does nothing.
    Raises FeatureGroupNotFoundError, AnswerCutError.
    """
    refuse_online(online)
    return default_connection().get_featuregroup(
        featuregroup,
        featurestore,
        featuregroup_version,
        refuse_online_in_place_of(dataframe_type),
        as_=as_,
        columns=columns,
        as_of=as_of,
    )


def create_featuregroup(
    df: Any, featuregroup: str, primary_key: Union[str, Sequence[str], None] = None, description: str = "",
    featurestore: Optional[str] = None, featuregroup_version: int = 1, jobs: Optional[Sequence[str]] = None,
    descriptive_statistics: bool = True, feature_correlation: bool = True, feature_histograms: bool = True,
    cluster_analysis: bool = True, stat_columns: Optional[Sequence[str]] = None, num_bins: int = 20,
    corr_method: str = "pearson", num_clusters: int = 5, partition_by: Union[str, Sequence[str], None] = None,
    online: bool = False, online_types: Optional[Mapping[str, str]] = None, offline: bool = True, *,
    event_time: Optional[str] = None, feature_descriptions: Optional[Mapping[str, str]] = None,
    tags: Optional[Mapping[str, str]] = None, schema: Optional[Mapping[str, str]] = None, expectations: Any = None,
) -> FeatureGroup:  # fmt: skip
    """Create a feature group with the rows of `df`, or, with `df=None` and `schema`, without rows.

    - `df`: a pandas, polars, pyarrow or Spark frame, a dict of columns, or anything with `__arrow_c_stream__`. Named
      index levels of a pandas frame become features, others are dropped.
    - `primary_key`: one name or several; the first feature if left out.
    - `schema`: feature → Hive type. With a frame it may name only the features whose type must not be inferred.
    - `expectations`: the rules for these rows and all later ones, as `set_expectations` takes them; `{"policy": "report",
      "rules": […]}` says the policy, too. Either the group is there with its rules, or neither is.
    - From `descriptive_statistics` to `num_clusters`: which statistics are computed after each insert, of which features.

    Raises FeatureGroupExistsError, FrameConversionError, InvalidInputError, ValidationFailedError.
    """
    refuse_online(online)
    refuse_given(online_types=online_types)
    require_offline(offline)
    return default_connection().create_featuregroup(
        df, featuregroup, primary_key, description, featurestore, featuregroup_version, jobs, partition_by,
        event_time=event_time, feature_descriptions=feature_descriptions, tags=tags, schema=schema,
        expectations=expectations,
        statistics=statistics_options(
            descriptive_statistics, feature_correlation, feature_histograms, cluster_analysis, stat_columns, num_bins,
            corr_method, num_clusters,
        ),
    )  # fmt: skip


def insert_into_featuregroup(
    df: Any, featuregroup: str, featurestore: Optional[str] = None, featuregroup_version: int = 1, mode: str = "append",
    descriptive_statistics: bool = True, feature_correlation: bool = True, feature_histograms: bool = True,
    cluster_analysis: bool = True, stat_columns: Optional[Sequence[str]] = None, num_bins: int = 20,
    corr_method: str = "pearson", num_clusters: int = 5, online: bool = False, offline: bool = True,
) -> InsertResult:  # fmt: skip
    """Insert rows; columns are matched by name. All rows are inserted, exactly once, or none.

    `mode` is "append", "overwrite" (the rows replace all there are) or "upsert" (by primary key, and by event time where the
    group has one).
    Statistics follow by themselves; arguments about them ask for others this time, and do not wait for them.
    Raises SchemaMismatchError, which lists every offending column, and ValidationFailedError, which lists every broken rule
    with examples.
    """
    refuse_online(online)
    require_offline(offline)
    options = statistics_options(
        descriptive_statistics, feature_correlation, feature_histograms, cluster_analysis, stat_columns, num_bins,
        corr_method, num_clusters,
    )  # fmt: skip
    connection = default_connection()
    result = connection.insert_into_featuregroup(df, featuregroup, featurestore, featuregroup_version, mode)
    if options is not None:
        connection.ask_for_statistics(featuregroup, featuregroup_version, featurestore, options)
    return result


def get_featuregroup_credentials(
    featuregroup: str, featurestore: Optional[str] = None, featuregroup_version: int = 1,
) -> TableCredentials:  # fmt: skip
    """Credentials that read this group's table in S3 for some minutes, for Spark, Polars, delta-rs and others."""
    return default_connection().get_featuregroup_credentials(featuregroup, featurestore, featuregroup_version)


def get_featuregroup_partitions(
    featuregroup: str, featurestore: Optional[str] = None, featuregroup_version: int = 1, dataframe_type: Any = "default",
    *, as_: Optional[str] = None,
) -> Any:  # fmt: skip
    """A frame with the one column `partition`, holding `score=1/year=2019` as Hive prints it."""
    return default_connection().get_featuregroup_partitions(
        featuregroup, featurestore, featuregroup_version, dataframe_type, as_=as_
    )


def update_featuregroup_metadata(
    featuregroup: str, featuregroup_version: int = 1, featurestore: Optional[str] = None, *,
    description: Optional[str] = None, feature_descriptions: Optional[Mapping[str, str]] = None,
    jobs: Optional[Sequence[str]] = None, revision: Optional[int] = None,
) -> FeatureGroup:  # fmt: skip
    """Change what is given. With `revision`, raises RevisionStaleError if somebody was faster."""
    return default_connection().update_featuregroup_metadata(
        featuregroup, featuregroup_version, featurestore,
        description=description, feature_descriptions=feature_descriptions, jobs=jobs, revision=revision,
    )  # fmt: skip


def delete_featuregroup(featuregroup: str, featuregroup_version: int = 1, featurestore: Optional[str] = None) -> None:
    """Delete one version, with its rows. Raises FeatureGroupNotFoundError."""
    default_connection().delete_featuregroup(featuregroup, featuregroup_version, featurestore)


def add_metadata(
    featuregroup_name: str,
    metadata: Mapping[str, Any],
    featuregroup_version: int = 1,
    featurestore: Optional[str] = None,
) -> None:
    """Attach text by name, replacing what had the name; a value that is no text is kept as its JSON."""
    default_connection().add_metadata(featuregroup_name, metadata, featuregroup_version, featurestore)


def get_metadata(
    featuregroup_name: str,
    keys: Optional[Sequence[str]] = None,
    featuregroup_version: int = 1,
    featurestore: Optional[str] = None,
) -> Dict[str, str]:
    """What is attached under these names, or everything. Raises InvalidInputError if one of them is absent."""
    return default_connection().get_metadata(featuregroup_name, keys, featuregroup_version, featurestore)


def remove_metadata(
    featuregroup_name: str, keys: Sequence[str], featuregroup_version: int = 1, featurestore: Optional[str] = None
) -> None:
    default_connection().remove_metadata(featuregroup_name, keys, featuregroup_version, featurestore)
