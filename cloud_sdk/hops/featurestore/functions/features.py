"""Reading features, joined from wherever they are."""

# ruff: noqa: ARG001 - the argument lists are the original clients', with what has no meaning here

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from hops.featurestore.default import default_connection
from hops.featurestore.functions.legacy import refuse_online, refuse_online_in_place_of
from hops.featurestore.metadata import QueryExplanation
from hops.featurestore.query_by_path import QueryByPath


def get_feature(
    feature: str, featurestore: Optional[str] = None, featuregroup: Optional[str] = None, featuregroup_version: int = 1,
    dataframe_type: Any = "default", jdbc_args: Optional[Mapping[str, Any]] = None, online: bool = False, *,
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
    dataframe_type: Any = "default", jdbc_args: Optional[Mapping[str, Any]] = None, online: bool = False, *,
    as_: Optional[str] = None, spine: Any = None, event_time: Optional[str] = None, lookback: Any = None,
    as_known: bool = False, joins: Optional[Mapping[str, Any]] = None, join_type: Optional[str] = None,
    as_of: Any = None,
) -> Any:  # fmt: skip
    """Features of one or more feature groups, joined; columns in the order asked for.

    A name is `feature`, `group.feature`, `group_version.feature` or `store.group_version.feature`. Without `join_key` the
    gateway finds one; `explain` tells which and why. `join_type` is "inner" or "left"; `joins` says more of single groups:
    `{"teams_features": Join(left_on="team", right_on="team_id", prefix="team_")}`.

    With `spine` the answer is the labels, each with its features, in the same order: as many rows as labels, whatever
    matches, so that "inner" is refused. `spine` is a frame, the name of a feature group, a pathlib.Path, or a
    RecordBatchReader for labels larger than memory. For each label the row of a group counts that is the latest with event
    time <= the label's `event_time`; of equal times the one written last; null where there is none, or none within
    `lookback` (a timedelta, or one by group).
    `as_known=True` leaves out what was written after the label's time.

    `as_of` reads earlier states: a time, a version, or one of these by group.

    Raises FeatureNotFoundError, FeatureNameCollisionError, InferJoinKeyError, LabelsInvalidError. `jdbc_args` does nothing.
    """
    refuse_online(online)
    return default_connection().get_features(
        features, featurestore, featuregroups_version_dict, join_key, refuse_online_in_place_of(dataframe_type), as_=as_,
        spine=spine, event_time=event_time, lookback=lookback, as_known=as_known, joins=joins, join_type=join_type,
        as_of=as_of,
    )  # fmt: skip


def explain(
    features: Sequence[str], featurestore: Optional[str] = None,
    featuregroups_version_dict: Optional[Mapping[str, int]] = None, join_key: Union[str, Sequence[str], None] = None, *,
    spine: Any = None, event_time: Optional[str] = None, lookback: Any = None, as_known: bool = False,
    joins: Optional[Mapping[str, Any]] = None, join_type: Optional[str] = None, as_of: Any = None,
) -> QueryExplanation:  # fmt: skip
    """How `get_features` would answer: groups and versions and why, joins, times, files, grants, the SQL. Reads no rows."""
    return default_connection().explain(
        features, featurestore, featuregroups_version_dict, join_key, spine=spine, event_time=event_time,
        lookback=lookback, as_known=as_known, joins=joins, join_type=join_type, as_of=as_of,
    )  # fmt: skip


def get_features_by_path(
    features: Sequence[str], featurestore: Optional[str] = None,
    featuregroups_version_dict: Optional[Mapping[str, int]] = None, join_key: Union[str, Sequence[str], None] = None, *,
    joins: Optional[Mapping[str, Any]] = None, join_type: Optional[str] = None, as_of: Any = None,
) -> QueryByPath:  # fmt: skip
    """The same features for a Spark that reads the tables in S3 by path: the SQL, the tables, and credentials for them."""
    return default_connection().get_features_by_path(
        features, featurestore, featuregroups_version_dict, join_key, joins=joins, join_type=join_type, as_of=as_of
    )
