"""Reading features, joined from wherever they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Dict, Optional, Union

from hops.featurestore import spines
from hops.featurestore.containers import resolve_container
from hops.featurestore.download import fetch
from hops.featurestore.expressions import feature_expression, require_spine
from hops.featurestore.metadata import QueryExplanation, from_json
from hops.featurestore.query_by_path import QueryByPath
from hops.featurestore.session import Operations, url_path
from hops.featurestore.transport import json_request


class FeatureOperations(Operations):
    def get_feature(
        self,
        feature: str,
        featurestore: Optional[str] = None,
        featuregroup: Optional[str] = None,
        featuregroup_version: int = 1,
        dataframe_type: str = "default",
        *,
        as_: Optional[str] = None,
    ) -> Any:
        container = resolve_container(dataframe_type, as_)
        # Without a group the original clients search every version, so the default of 1 says nothing then.
        version = featuregroup_version if featuregroup is not None or featuregroup_version != 1 else None
        expression = feature_expression(
            [feature], featurestore=featurestore, featuregroup=featuregroup, version=version
        )
        return self._query(expression, container)

    def get_features(
        self,
        features: Sequence[str],
        featurestore: Optional[str] = None,
        featuregroups_version_dict: Optional[Mapping[str, int]] = None,
        join_key: Union[str, Sequence[str], None] = None,
        dataframe_type: str = "default",
        *,
        as_: Optional[str] = None,
        spine: Any = None,
        event_time: Optional[str] = None,
        **how: Any,
    ) -> Any:
        """`how`: join_type, joins, lookback, as_known and as_of, as in `hops.featurestore.get_features`."""
        container = resolve_container(dataframe_type, as_)
        expression = feature_expression(
            features,
            featurestore=featurestore,
            featuregroups_version_dict=featuregroups_version_dict,
            join_key=join_key,
            **how,
        )
        require_spine(spine, event_time=event_time)
        return spines.get_features(self._session.transport, self._path(), expression, spine, event_time, container)

    def explain(
        self,
        features: Sequence[str],
        featurestore: Optional[str] = None,
        featuregroups_version_dict: Optional[Mapping[str, int]] = None,
        join_key: Union[str, Sequence[str], None] = None,
        *,
        spine: Any = None,
        event_time: Optional[str] = None,
        **how: Any,
    ) -> QueryExplanation:
        expression = feature_expression(
            features,
            featurestore=featurestore,
            featuregroups_version_dict=featuregroups_version_dict,
            join_key=join_key,
            **how,
        )
        require_spine(spine, event_time=event_time)
        path = self._path("explain")
        return from_json(QueryExplanation, spines.explain(self._session.transport, path, expression, spine, event_time))

    def get_features_by_path(
        self,
        features: Sequence[str],
        featurestore: Optional[str] = None,
        featuregroups_version_dict: Optional[Mapping[str, int]] = None,
        join_key: Union[str, Sequence[str], None] = None,
        **how: Any,
    ) -> QueryByPath:
        expression = feature_expression(
            features,
            featurestore=featurestore,
            featuregroups_version_dict=featuregroups_version_dict,
            join_key=join_key,
            **how,
        )
        # Asking twice does no harm.
        request = json_request("POST", self._path("credentials"), expression, repeatable=True)
        return QueryByPath.from_json(self._session.transport.json(request))

    def _query(self, expression: Dict[str, Any], container: str) -> Any:
        request = json_request("POST", self._path(), expression, repeatable=True)
        return fetch(self._session.transport, request, container)

    def _path(self, *rest: str) -> str:
        return url_path("projects", self._session.project, "queries", *rest)
