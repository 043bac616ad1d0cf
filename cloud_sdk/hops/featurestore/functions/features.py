"""Reading features, joined from wherever they are."""

# ruff: noqa: ARG001 - the argument lists are the original clients', with what has no meaning here

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from hops.featurestore.default import default_connection
from hops.featurestore.functions.legacy import refuse_online, refuse_online_in_place_of
from hops.featurestore.metadata import QueryExplanation


def get_feature(
    feature: str, featurestore: Optional[str] = None, featuregroup: Optional[str] = None, featuregroup_version: int = 1,
    dataframe_type: Any = "pandas", jdbc_args: Optional[Mapping[str, Any]] = None, online: bool = False, *,
    as_: Optional[str] = None,
) -> Any:  # fmt: skip
    """One feature as a frame of one column.

    `dataframe_type` or `as_`: "pandas", "polars", "pyarrow" or "numpy". `jdbc_args` does nothing.
    Raises FeatureNotFoundError, FeatureNameCollisionError (name `featuregroup` then).
    """
    refuse_online(online)
    return default_connection().get_feature(
        feature, featurestore, featuregroup, featuregroup_version, refuse_online_in_place_of(dataframe_type), as_=as_
    )


def get_features(
    features: Sequence[str], featurestore: Optional[str] = None,
    featuregroups_version_dict: Optional[Mapping[str, int]] = None, join_key: Union[str, Sequence[str], None] = None,
    dataframe_type: Any = "pandas", jdbc_args: Optional[Mapping[str, Any]] = None, online: bool = False, *,
    as_: Optional[str] = None,
) -> Any:  # fmt: skip
    """Features of one or more feature groups, joined; columns in the order asked for.

    A name is `feature`, `group.feature`, `group_version.feature` or `store.group_version.feature`. Without `join_key` the
    gateway finds one; `explain` tells which and why. Raises FeatureNotFoundError, FeatureNameCollisionError,
    InferJoinKeyError. `jdbc_args` does nothing.
    """
    refuse_online(online)
    return default_connection().get_features(
        features, featurestore, featuregroups_version_dict, join_key, refuse_online_in_place_of(dataframe_type), as_=as_
    )


def explain(
    features: Sequence[str], featurestore: Optional[str] = None,
    featuregroups_version_dict: Optional[Mapping[str, int]] = None, join_key: Union[str, Sequence[str], None] = None,
) -> QueryExplanation:  # fmt: skip
    """How `get_features` would answer: the groups and versions chosen and why, the join, the SQL. Reads no rows."""
    return default_connection().explain(features, featurestore, featuregroups_version_dict, join_key)
