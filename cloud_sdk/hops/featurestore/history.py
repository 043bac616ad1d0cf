"""What a feature group was before: its commits, what changed, and features that came later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, List, Optional

from hops.featurestore.arguments import types_by_name
from hops.featurestore.containers import resolve_container
from hops.featurestore.download import fetch
from hops.featurestore.errors import InvalidInputError
from hops.featurestore.expressions import State, state_of
from hops.featurestore.metadata import Commit, FeatureGroup, from_json
from hops.featurestore.session import Operations
from hops.featurestore.transport import Request


class HistoryOperations(Operations):
    def get_commits(
        self, featuregroup: str, featuregroup_version: int = 1, featurestore: Optional[str] = None
    ) -> List[Commit]:
        listed = self._session.pages(
            self._session.group_path(featuregroup, featuregroup_version, featurestore, "commits")
        )
        return [from_json(Commit, each) for each in listed]

    def changes_between(
        self,
        featuregroup: str,
        from_version: State,
        to_version: State,
        featuregroup_version: int = 1,
        featurestore: Optional[str] = None,
        dataframe_type: str = "default",
        *,
        as_: Optional[str] = None,
    ) -> Any:
        container = resolve_container(dataframe_type, as_)
        path = self._session.group_path(featuregroup, featuregroup_version, featurestore, "changes")
        states = {"from": state_of(from_version, "from_version"), "to": state_of(to_version, "to_version")}
        query = {side: state for side, state in states.items() if state is not None}
        return fetch(self._session.transport, Request("GET", path, query=query), container)

    def append_features(
        self,
        featuregroup: str,
        features: Mapping[str, str],
        featuregroup_version: int = 1,
        featurestore: Optional[str] = None,
        *,
        descriptions: Optional[Mapping[str, str]] = None,
    ) -> FeatureGroup:
        described = descriptions or {}
        types = types_by_name(features, "features")
        unknown = [name for name in described if name not in types]
        if unknown:
            raise InvalidInputError(f"descriptions names what features does not: {', '.join(unknown)}.")
        body = {
            "features": [
                {"name": name, "type": kind, **({"description": described[name]} if name in described else {})}
                for name, kind in types.items()
            ]
        }
        path = self._session.group_path(featuregroup, featuregroup_version, featurestore, "features")
        # Appended twice is appended once, so the request may be sent again after a broken connection.
        return FeatureGroup.from_json(self._session.send("POST", path, body, repeatable=True))
