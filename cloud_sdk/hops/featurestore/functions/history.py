"""What a feature group was before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, List, Optional

from hops.featurestore.default import default_connection
from hops.featurestore.metadata import Commit, FeatureGroup


def get_commits(
    featuregroup: str, featuregroup_version: int = 1, featurestore: Optional[str] = None
) -> List[Commit]:  # fmt: skip
    """What was done to the rows, by whom and when; the newest first. Any `version` of these can be given as `as_of`.

    Who did it is told of groups of the own project only. Raises FeatureGroupNotFoundError.
    """
    return default_connection().get_commits(featuregroup, featuregroup_version, featurestore)


def changes_between(
    featuregroup: str, from_version: Any, to_version: Any, featuregroup_version: int = 1,
    featurestore: Optional[str] = None, dataframe_type: Any = "default", *, as_: Optional[str] = None,
) -> Any:  # fmt: skip
    """The rows that differ between two versions of the table (see `get_commits`), or between two times.

    The first column, `change`, is "insert", "delete", "update_before" or "update_after"; an update is known by the primary
    key (and event time). What happened in between and is undone at `to_version` does not show, nor do rows that were written
    again as they were. `dataframe_type` or `as_`: as in `get_featuregroup`.
    """
    return default_connection().changes_between(
        featuregroup, from_version, to_version, featuregroup_version, featurestore, dataframe_type, as_=as_
    )


def append_features(
    featuregroup: str, features: Mapping[str, str], featuregroup_version: int = 1, featurestore: Optional[str] = None,
    *, descriptions: Optional[Mapping[str, str]] = None,
) -> FeatureGroup:  # fmt: skip
    """Append features, name → Hive type, to an existing version. They are null in all rows so far; later inserts need them.

    Anything else is a new version of the feature group. Done twice it changes nothing; raises FeatureExistsError where a
    feature of the name has another type.
    """
    return default_connection().append_features(
        featuregroup, features, featuregroup_version, featurestore, descriptions=descriptions
    )
