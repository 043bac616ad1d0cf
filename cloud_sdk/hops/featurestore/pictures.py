"""Pictures of the statistics of feature groups and training datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from hops.featurestore.plots.clusters import draw_clusters
from hops.featurestore.plots.correlations import draw_correlations
from hops.featurestore.plots.distributions import draw_distributions
from hops.featurestore.plots.figures import Size, shown
from hops.featurestore.statistics import StatisticsOperations

if TYPE_CHECKING:
    import pandas as pd


class PictureOperations(StatisticsOperations):
    def visualize_featuregroup_distributions(
        self, featuregroup_name: str, featurestore: Optional[str] = None, featuregroup_version: int = 1,
        figsize: Size = None, color: str = "lightblue", log: bool = False, align: str = "center", plot: bool = True,
    ) -> Any:  # fmt: skip
        found = self.get_featuregroup_statistics(featuregroup_name, featurestore, featuregroup_version)
        return shown(draw_distributions(found, figsize, color, log, align), plot)

    def visualize_featuregroup_correlations(
        self, featuregroup_name: str, featurestore: Optional[str] = None, featuregroup_version: int = 1,
        figsize: Size = (16, 12), cmap: str = "coolwarm", annot: bool = True, fmt: str = ".2f",
        linewidths: float = 0.05, plot: bool = True,
    ) -> Any:  # fmt: skip
        found = self.get_featuregroup_statistics(featuregroup_name, featurestore, featuregroup_version)
        return shown(draw_correlations(found, figsize, cmap, annot, fmt, linewidths), plot)

    def visualize_featuregroup_clusters(
        self, featuregroup_name: str, featurestore: Optional[str] = None, featuregroup_version: int = 1,
        figsize: Size = (16, 12), plot: bool = True,
    ) -> Any:  # fmt: skip
        found = self.get_featuregroup_statistics(featuregroup_name, featurestore, featuregroup_version)
        return shown(draw_clusters(found, figsize), plot)

    def visualize_featuregroup_descriptive_stats(
        self, featuregroup_name: str, featurestore: Optional[str] = None, featuregroup_version: int = 1
    ) -> pd.DataFrame:
        found = self.get_featuregroup_statistics(featuregroup_name, featurestore, featuregroup_version)
        frame: pd.DataFrame = found.require_block("descriptive")
        return frame

    def visualize_training_dataset_distributions(
        self, training_dataset_name: str, featurestore: Optional[str] = None, training_dataset_version: int = 1,
        figsize: Size = None, color: str = "lightblue", log: bool = False, align: str = "center", plot: bool = True,
    ) -> Any:  # fmt: skip
        found = self.get_training_dataset_statistics(training_dataset_name, featurestore, training_dataset_version)
        return shown(draw_distributions(found, figsize, color, log, align), plot)

    def visualize_training_dataset_correlations(
        self, training_dataset_name: str, featurestore: Optional[str] = None, training_dataset_version: int = 1,
        figsize: Size = (16, 12), cmap: str = "coolwarm", annot: bool = True, fmt: str = ".2f",
        linewidths: float = 0.05, plot: bool = True,
    ) -> Any:  # fmt: skip
        found = self.get_training_dataset_statistics(training_dataset_name, featurestore, training_dataset_version)
        return shown(draw_correlations(found, figsize, cmap, annot, fmt, linewidths), plot)

    def visualize_training_dataset_clusters(
        self, training_dataset_name: str, featurestore: Optional[str] = None, training_dataset_version: int = 1,
        figsize: Size = (16, 12), plot: bool = True,
    ) -> Any:  # fmt: skip
        found = self.get_training_dataset_statistics(training_dataset_name, featurestore, training_dataset_version)
        return shown(draw_clusters(found, figsize), plot)

    def visualize_training_dataset_descriptive_stats(
        self, training_dataset_name: str, featurestore: Optional[str] = None, training_dataset_version: int = 1
    ) -> pd.DataFrame:
        found = self.get_training_dataset_statistics(training_dataset_name, featurestore, training_dataset_version)
        frame: pd.DataFrame = found.require_block("descriptive")
        return frame
