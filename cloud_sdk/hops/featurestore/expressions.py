"""The features that are asked for, as the gateway wants them said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Dict, List, Optional, Union

from hops.featurestore.errors import InvalidInputError


def feature_expression(
    features: Sequence[str],
    *,
    featurestore: Optional[str] = None,
    featuregroups_version_dict: Optional[Mapping[str, int]] = None,
    join_key: Union[str, Sequence[str], None] = None,
    featuregroup: Optional[str] = None,
    version: Optional[int] = None,
) -> Dict[str, Any]:
    """What is None or empty is left for the gateway to find out."""
    expression: Dict[str, Any] = {"features": _names(features)}
    optional = {
        "featurestore": featurestore,
        "feature_group": featuregroup,
        "version": version,
        "feature_group_versions": dict(featuregroups_version_dict or {}),
        "join_key": join_key if join_key is None or isinstance(join_key, str) else list(join_key),
    }
    expression.update({name: value for name, value in optional.items() if value})
    return expression


def _names(features: Sequence[str]) -> List[str]:
    names = [features] if isinstance(features, str) else list(features)
    if not names or not all(isinstance(name, str) for name in names):
        raise InvalidInputError("features must be the names of one or more features.")
    return names
