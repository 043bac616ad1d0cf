"""Metadata that people attach to feature groups; the gateway calls it tags."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Dict, Optional

from hops.featurestore.arguments import checked_name
from hops.featurestore.errors import InvalidInputError
from hops.featurestore.session import Operations, url_path


class TagOperations(Operations):
    def add_metadata(
        self,
        featuregroup_name: str,
        metadata: Mapping[str, Any],
        featuregroup_version: int = 1,
        featurestore: Optional[str] = None,
    ) -> None:
        path = self._tags_path(featuregroup_name, featuregroup_version, featurestore)
        for name, value in metadata.items():
            text = value if isinstance(value, str) else json.dumps(value)
            self._session.send("PUT", path + url_path(checked_name(name, "piece of metadata")), {"value": text})

    def get_metadata(
        self,
        featuregroup_name: str,
        keys: Optional[Sequence[str]] = None,
        featuregroup_version: int = 1,
        featurestore: Optional[str] = None,
    ) -> Dict[str, str]:
        path = self._tags_path(featuregroup_name, featuregroup_version, featurestore)
        tags = {each["name"]: each["value"] for each in self._session.pages(path)}
        if not keys:
            return tags
        wanted = [keys] if isinstance(keys, str) else list(keys)
        missing = [name for name in wanted if name not in tags]
        if missing:
            raise InvalidInputError(
                f"{featuregroup_name}_{featuregroup_version} has no metadata {', '.join(missing)}.",
                candidates=list(tags),
            )
        return {name: tags[name] for name in wanted}

    def remove_metadata(
        self,
        featuregroup_name: str,
        keys: Sequence[str],
        featuregroup_version: int = 1,
        featurestore: Optional[str] = None,
    ) -> None:
        path = self._tags_path(featuregroup_name, featuregroup_version, featurestore)
        for name in [keys] if isinstance(keys, str) else keys:
            self._session.send("DELETE", path + url_path(checked_name(name, "piece of metadata")))

    def _tags_path(self, name: str, version: int, featurestore: Optional[str]) -> str:
        return self._session.group_path(name, version, featurestore, "tags")
