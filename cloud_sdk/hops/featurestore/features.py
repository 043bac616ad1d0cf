"""Reading features, joined from wherever they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Dict, Optional, Union

from hops.featurestore.containers import convert, resolve_container
from hops.featurestore.download import read_table
from hops.featurestore.expressions import feature_expression
from hops.featurestore.metadata import QueryExplanation, from_json
from hops.featurestore.session import Operations, url_path
from hops.featurestore.transport import json_request


class FeatureOperations(Operations):
    def get_feature(
        self,
        feature: str,
        featurestore: Optional[str] = None,
        featuregroup: Optional[str] = None,
        featuregroup_version: int = 1,
        dataframe_type: str = "pandas",
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
        dataframe_type: str = "pandas",
        *,
        as_: Optional[str] = None,
    ) -> Any:
        container = resolve_container(dataframe_type, as_)
        expression = feature_expression(
            features,
            featurestore=featurestore,
            featuregroups_version_dict=featuregroups_version_dict,
            join_key=join_key,
        )
        return self._query(expression, container)

    def explain(
        self,
        features: Sequence[str],
        featurestore: Optional[str] = None,
        featuregroups_version_dict: Optional[Mapping[str, int]] = None,
        join_key: Union[str, Sequence[str], None] = None,
    ) -> QueryExplanation:
        expression = feature_expression(
            features,
            featurestore=featurestore,
            featuregroups_version_dict=featuregroups_version_dict,
            join_key=join_key,
        )
        path = url_path("projects", self._session.project, "queries", "explain")
        return from_json(QueryExplanation, self._session.send("POST", path, expression, repeatable=True))

    def _query(self, expression: Dict[str, Any], container: str) -> Any:
        path = url_path("projects", self._session.project, "queries")
        request = json_request("POST", path, expression, repeatable=True)
        return convert(read_table(self._session.transport, request), container)
