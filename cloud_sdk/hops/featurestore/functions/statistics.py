"""What rows look like: statistics of feature groups and training datasets."""

# ruff: noqa: PLR0917 - the argument lists are the original clients'

from __future__ import annotations

from collections.abc import Sequence
from typing import List, Optional

from hops.featurestore.default import default_connection
from hops.featurestore.runs import JobRun
from hops.featurestore.statistics_results import Drift, Statistics, StatisticsState


def update_featuregroup_stats(
    featuregroup: str, featuregroup_version: int = 1, featurestore: Optional[str] = None,
    descriptive_statistics: bool = True, feature_correlation: bool = True, feature_histograms: bool = True,
    cluster_analysis: bool = True, stat_columns: Optional[Sequence[str]] = None, num_bins: int = 20,
    corr_method: str = "pearson", num_clusters: int = 5, *, wait: bool = True, timeout: Optional[float] = None,
) -> JobRun:  # fmt: skip
    """Compute the statistics of the rows as they are now, in the background, and wait for them unless `wait=False`.

    With everything at its default they are those that the feature group was created with. `corr_method` is "pearson" or
    "spearman", `stat_columns` are all features where none is named; of more than 50 numbers there are no correlations.
    Raises InvalidInputError for features that are not there, and waits as `wait_for_run` does.
    """
    return default_connection().update_featuregroup_stats(
        featuregroup, featuregroup_version, featurestore, descriptive_statistics, feature_correlation,
        feature_histograms, cluster_analysis, stat_columns, num_bins, corr_method, num_clusters, wait=wait,
        timeout=timeout,
    )  # fmt: skip


def update_training_dataset_stats(
    training_dataset: str, training_dataset_version: int = 1, featurestore: Optional[str] = None,
    descriptive_statistics: bool = True, feature_correlation: bool = True, feature_histograms: bool = True,
    cluster_analysis: bool = True, stat_columns: Optional[Sequence[str]] = None, num_bins: int = 20,
    corr_method: str = "pearson", num_clusters: int = 5, *, wait: bool = True, timeout: Optional[float] = None,
) -> JobRun:  # fmt: skip
    """The same for a training dataset, as `update_featuregroup_stats`."""
    return default_connection().update_training_dataset_stats(
        training_dataset, training_dataset_version, featurestore, descriptive_statistics, feature_correlation,
        feature_histograms, cluster_analysis, stat_columns, num_bins, corr_method, num_clusters, wait=wait,
        timeout=timeout,
    )  # fmt: skip


def get_featuregroup_statistics(
    featuregroup_name: str, featurestore: Optional[str] = None, featuregroup_version: int = 1, *,
    state: Optional[int] = None,
) -> Statistics:  # fmt: skip
    """Those of the latest state that has some, or of `state`, one of `get_statistics_states`.

    They follow each insert within moments. Raises StatisticsNotFoundError.
    """
    return default_connection().get_featuregroup_statistics(
        featuregroup_name, featurestore, featuregroup_version, state=state
    )


def get_training_dataset_statistics(
    training_dataset_name: str, featurestore: Optional[str] = None, training_dataset_version: int = 1, *,
    state: Optional[int] = None,
) -> Statistics:  # fmt: skip
    """The same for a training dataset, as `get_featuregroup_statistics`; a state is a revision of it."""
    return default_connection().get_training_dataset_statistics(
        training_dataset_name, featurestore, training_dataset_version, state=state
    )


def get_statistics_states(
    featuregroup: str, featurestore: Optional[str] = None, featuregroup_version: int = 1
) -> List[StatisticsState]:
    """Of which states there are statistics, the latest first. A state is the `version` of a commit in `get_commits`."""
    return default_connection().get_statistics_states(featuregroup, featurestore, featuregroup_version)


def compare_statistics(
    featuregroup: str, *, old: Optional[int] = None, new: Optional[int] = None, featurestore: Optional[str] = None,
    featuregroup_version: int = 1, old_version: Optional[int] = None, training_dataset: Optional[str] = None,
    training_dataset_version: int = 1,
) -> Drift:  # fmt: skip
    """How far the state `new` (the latest) is from the state `old` (the one before it), feature by feature.

    The earlier side may also be another version of the group (`old_version`), or a training dataset: whether what comes in
    still looks like what a model has learnt from. Raises StatisticsNotFoundError, StatisticsMissingError.
    """
    return default_connection().compare_statistics(
        featuregroup, old=old, new=new, featurestore=featurestore, featuregroup_version=featuregroup_version,
        old_version=old_version, training_dataset=training_dataset, training_dataset_version=training_dataset_version,
    )  # fmt: skip
