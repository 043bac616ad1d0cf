"""Pictures of statistics, with the argument lists of the original clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Tuple

from hops.featurestore.default import default_connection

if TYPE_CHECKING:
    import pandas as pd


def visualize_featuregroup_distributions(
    featuregroup_name: str, featurestore: Optional[str] = None, featuregroup_version: int = 1,
    figsize: Optional[Tuple[float, float]] = None, color: str = "lightblue", log: bool = False,
    align: str = "center", plot: bool = True,
) -> Any:  # fmt: skip
    """A histogram of each feature: bars for numbers and times, the most frequent texts from top to bottom.

    `figsize` is in inches, and grows with the number of features where left out. `color` is that of the bars, `log` makes
    the counts logarithmic, `align` ("center", "edge") is where a bar stands that is of one value. With `plot` the picture
    is displayed in a notebook; the matplotlib Figure is given back either way.
    Needs matplotlib. Raises StatisticsNotFoundError, or StatisticsMissingError where there are no histograms.
    """
    return default_connection().visualize_featuregroup_distributions(
        featuregroup_name, featurestore, featuregroup_version, figsize, color, log, align, plot
    )


def visualize_featuregroup_correlations(
    featuregroup_name: str, featurestore: Optional[str] = None, featuregroup_version: int = 1,
    figsize: Optional[Tuple[float, float]] = (16, 12), cmap: str = "coolwarm", annot: bool = True, fmt: str = ".2f",
    linewidths: float = 0.05, plot: bool = True,
) -> Any:  # fmt: skip
    """The matrix of correlations. `cmap` is a colour map of matplotlib from -1 to 1, `annot` writes the numbers in as `fmt`.

    `figsize` is in inches, `linewidths` that of the lines between cells. `plot` as in
    `visualize_featuregroup_distributions`.
    Needs matplotlib. Raises StatisticsNotFoundError, or StatisticsMissingError, which says why there is none.
    """
    return default_connection().visualize_featuregroup_correlations(
        featuregroup_name, featurestore, featuregroup_version, figsize, cmap, annot, fmt, linewidths, plot
    )


def visualize_featuregroup_clusters(
    featuregroup_name: str, featurestore: Optional[str] = None, featuregroup_version: int = 1,
    figsize: Optional[Tuple[float, float]] = (16, 12), plot: bool = True,
) -> Any:  # fmt: skip
    """A sample of rows in the plane of their first two principal components, coloured by cluster.

    `figsize` is in inches, `plot` as in `visualize_featuregroup_distributions`.
    Needs matplotlib. Raises StatisticsNotFoundError, or StatisticsMissingError, which says why there are none.
    """
    return default_connection().visualize_featuregroup_clusters(
        featuregroup_name, featurestore, featuregroup_version, figsize, plot
    )


def visualize_featuregroup_descriptive_stats(
    featuregroup_name: str, featurestore: Optional[str] = None, featuregroup_version: int = 1
) -> pd.DataFrame:
    """One row for each feature: counts, extremes, moments and quantiles, as `get_featuregroup_statistics(…).descriptive`.

    Raises StatisticsNotFoundError, StatisticsMissingError.
    """
    return default_connection().visualize_featuregroup_descriptive_stats(
        featuregroup_name, featurestore, featuregroup_version
    )


def visualize_training_dataset_distributions(
    training_dataset_name: str, featurestore: Optional[str] = None, training_dataset_version: int = 1,
    figsize: Optional[Tuple[float, float]] = None, color: str = "lightblue", log: bool = False,
    align: str = "center", plot: bool = True,
) -> Any:  # fmt: skip
    """As `visualize_featuregroup_distributions`, of a training dataset."""
    return default_connection().visualize_training_dataset_distributions(
        training_dataset_name, featurestore, training_dataset_version, figsize, color, log, align, plot
    )


def visualize_training_dataset_correlations(
    training_dataset_name: str, featurestore: Optional[str] = None, training_dataset_version: int = 1,
    figsize: Optional[Tuple[float, float]] = (16, 12), cmap: str = "coolwarm", annot: bool = True, fmt: str = ".2f",
    linewidths: float = 0.05, plot: bool = True,
) -> Any:  # fmt: skip
    """As `visualize_featuregroup_correlations`, of a training dataset."""
    return default_connection().visualize_training_dataset_correlations(
        training_dataset_name, featurestore, training_dataset_version, figsize, cmap, annot, fmt, linewidths, plot
    )


def visualize_training_dataset_clusters(
    training_dataset_name: str, featurestore: Optional[str] = None, training_dataset_version: int = 1,
    figsize: Optional[Tuple[float, float]] = (16, 12), plot: bool = True,
) -> Any:  # fmt: skip
    """As `visualize_featuregroup_clusters`, of a training dataset."""
    return default_connection().visualize_training_dataset_clusters(
        training_dataset_name, featurestore, training_dataset_version, figsize, plot
    )


def visualize_training_dataset_descriptive_stats(
    training_dataset_name: str, featurestore: Optional[str] = None, training_dataset_version: int = 1
) -> pd.DataFrame:
    """As `visualize_featuregroup_descriptive_stats`, of a training dataset."""
    return default_connection().visualize_training_dataset_descriptive_stats(
        training_dataset_name, featurestore, training_dataset_version
    )
