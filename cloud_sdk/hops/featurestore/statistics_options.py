"""The original clients' arguments about statistics, in the gateway's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Dict, Optional, Union

from hops.featurestore.arguments import plain

_DEFAULTS: Dict[str, Any] = {
    "descriptive": True,
    "correlations": True,
    "histograms": True,
    "clusters": True,
    "columns": [],
    "bins": 20,
    "correlation_method": "pearson",
    "cluster_count": 5,
}


def statistics_options(
    descriptive_statistics: bool = True,
    feature_correlation: bool = True,
    feature_histograms: bool = True,
    cluster_analysis: bool = True,
    stat_columns: Union[str, Sequence[str], None] = None,
    num_bins: int = 20,
    corr_method: str = "pearson",
    num_clusters: int = 5,
) -> Optional[Dict[str, Any]]:
    """Only what differs from the defaults; None if nothing does. Whether it can be computed is for the gateway to say."""
    given = {
        "descriptive": descriptive_statistics,
        "correlations": feature_correlation,
        "histograms": feature_histograms,
        "clusters": cluster_analysis,
        # Not by its truth, which an index of pandas and an array of numpy do not have.
        "columns": [stat_columns]
        if isinstance(stat_columns, str)
        else list(() if stat_columns is None else stat_columns),
        "bins": num_bins,
        "correlation_method": corr_method,
        "cluster_count": num_clusters,
    }
    return {name: plain(value) for name, value in given.items() if value != _DEFAULTS[name]} or None
