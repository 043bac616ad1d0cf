"""Creating, filling, reading, describing and deleting feature groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional, Union

from hops.featurestore.arguments import checked_version, column_list, types_by_name
from hops.featurestore.containers import convert, resolve_container
from hops.featurestore.download import fetch
from hops.featurestore.errors import InvalidInputError, RefusedInputError
from hops.featurestore.expectation_rules import expectations_of
from hops.featurestore.expressions import State, state_of
from hops.featurestore.metadata import FeatureGroup, InsertResult, from_json
from hops.featurestore.partitions import partition_table
from hops.featurestore.session import Operations, url_path
from hops.featurestore.staging import stage, staged_request
from hops.featurestore.table_credentials import TableCredentials
from hops.featurestore.transport import Request
from hops.featurestore.upload import frame_request, new_idempotency_key

INSERT_MODES = ("append", "overwrite", "upsert")


class FeatureGroupOperations(Operations):
    def create_featuregroup(
        self,
        df: Any,
        featuregroup: str,
        primary_key: Union[str, Sequence[str], None] = None,
        description: str = "",
        featurestore: Optional[str] = None,
        featuregroup_version: int = 1,
        jobs: Optional[Sequence[str]] = None,
        partition_by: Union[str, Sequence[str], None] = None,
        *,
        event_time: Optional[str] = None,
        feature_descriptions: Optional[Mapping[str, str]] = None,
        tags: Optional[Mapping[str, str]] = None,
        schema: Optional[Mapping[str, str]] = None,
        expectations: Any = None,
        statistics: Optional[Mapping[str, Any]] = None,
    ) -> FeatureGroup:
        """`statistics` are `statistics_options`: those that are computed after each insert."""
        optional = {
            "description": description,
            "primary_key": _list(primary_key),
            "event_time": event_time,
            "partition_by": _list(partition_by),
            "features": _features(types_by_name(schema or {}, "schema"), feature_descriptions or {}, whole=df is None),
            "tags": dict(tags or {}),
            "jobs": list(jobs or ()),
            "statistics": dict(statistics or {}),
            "expectations": {} if expectations is None else expectations_of(expectations),
        }
        command = {
            "name": featuregroup,
            "version": checked_version(featuregroup_version),
            **{k: v for k, v in optional.items() if v},
        }
        path = url_path("projects", self._session.owner_of(featurestore), "feature-groups")
        if df is None:
            headers = {"Idempotency-Key": new_idempotency_key()}
            return FeatureGroup.from_json(self._session.send("POST", path, command, headers=headers))
        with frame_request(path, df, command=command) as request, _types_are_named():
            return FeatureGroup.from_json(self._session.transport.json(request))

    def insert_into_featuregroup(
        self,
        df: Any,
        featuregroup: str,
        featurestore: Optional[str] = None,
        featuregroup_version: int = 1,
        mode: str = "append",
    ) -> InsertResult:
        if mode not in INSERT_MODES:
            raise InvalidInputError(f"{mode!r} is no way to insert.", candidates=INSERT_MODES)
        place = featuregroup, featuregroup_version, featurestore
        transport, path = self._session.transport, self._session.group_path(*place, "rows")
        frame, staged, why = stage(transport, self._session.group_path(*place, "staged-inserts"), df)
        if staged is not None:
            answer = transport.json(staged_request(path, staged, {"mode": mode}))
        else:
            with frame_request(path, frame, query={"mode": mode}) as request:
                answer = transport.json(request)
        transfer = {"mode": "stream" if staged is None else "direct", "why": why}
        return from_json(InsertResult, {**answer, "transfer": transfer})

    def get_featuregroup(
        self,
        featuregroup: str,
        featurestore: Optional[str] = None,
        featuregroup_version: int = 1,
        dataframe_type: str = "default",
        *,
        as_: Optional[str] = None,
        columns: Optional[Sequence[str]] = None,
        as_of: State = None,
    ) -> Any:
        container = resolve_container(dataframe_type, as_)
        query: Dict[str, Union[str, int]] = {"columns": column_list(_list(columns))} if columns else {}
        state = state_of(as_of)
        if state is not None:
            query["as_of"] = state
        path = self._session.group_path(featuregroup, featuregroup_version, featurestore, "rows")
        return fetch(self._session.transport, Request("GET", path, query=query), container)

    def get_featuregroup_credentials(
        self, featuregroup: str, featurestore: Optional[str] = None, featuregroup_version: int = 1
    ) -> TableCredentials:
        path = self._session.group_path(featuregroup, featuregroup_version, featurestore, "credentials")
        # Asking twice does no harm.
        return TableCredentials.from_json(self._session.send("POST", path, {}, repeatable=True))

    def get_featuregroup_metadata(
        self, featuregroup: str, featurestore: Optional[str] = None, featuregroup_version: int = 1
    ) -> FeatureGroup:
        return FeatureGroup.from_json(
            self._session.get(self._session.group_path(featuregroup, featuregroup_version, featurestore))
        )

    def get_featuregroup_partitions(
        self,
        featuregroup: str,
        featurestore: Optional[str] = None,
        featuregroup_version: int = 1,
        dataframe_type: str = "default",
        *,
        as_: Optional[str] = None,
    ) -> Any:
        container = resolve_container(dataframe_type, as_)
        path = self._session.group_path(featuregroup, featuregroup_version, featurestore, "partitions")
        return convert(partition_table(self._session.pages(path)), container)

    def update_featuregroup_metadata(
        self,
        featuregroup: str,
        featuregroup_version: int = 1,
        featurestore: Optional[str] = None,
        *,
        description: Optional[str] = None,
        feature_descriptions: Optional[Mapping[str, str]] = None,
        jobs: Optional[Sequence[str]] = None,
        revision: Optional[int] = None,
    ) -> FeatureGroup:
        changes: Dict[str, Any] = {}
        if description is not None:
            changes["description"] = description
        if feature_descriptions is not None:
            changes["features"] = [{"name": name, "description": text} for name, text in feature_descriptions.items()]
        if jobs is not None:
            changes["jobs"] = list(jobs)
        headers = {} if revision is None else {"If-Match": f'"{revision}"'}
        path = self._session.group_path(featuregroup, featuregroup_version, featurestore)
        return FeatureGroup.from_json(self._session.send("PATCH", path, changes, headers=headers))

    def delete_featuregroup(
        self, featuregroup: str, featuregroup_version: int = 1, featurestore: Optional[str] = None
    ) -> None:
        self._session.send("DELETE", self._session.group_path(featuregroup, featuregroup_version, featurestore))


@contextmanager
def _types_are_named() -> Iterator[None]:
    """A column of nulls has no type that could be inferred; the gateway does not know what the argument is called here."""
    try:
        yield
    except RefusedInputError as error:
        nulls = [each.get("field") for each in error.errors if "Arrow's null" in str(each.get("message"))]
        if nulls:
            example = ", ".join(f'"{name}": "STRING"' for name in nulls)
            error.hint = f"A column of nulls only has no type; name one: schema={{{example}}}."
        raise


def _list(names: Union[str, Sequence[str], None]) -> List[str]:
    return [names] if isinstance(names, str) else list(names or ())


def _features(types: Mapping[str, str], descriptions: Mapping[str, str], *, whole: bool) -> List[Dict[str, str]]:
    """`whole`: there is no frame, so the types must be all features, in order."""
    if whole and not types:
        raise InvalidInputError("A feature group needs a frame, or schema={'name': 'TYPE', …} to be created empty.")
    unknown = [name for name in descriptions if whole and name not in types]
    if unknown:
        raise InvalidInputError(f"feature_descriptions names what schema does not: {', '.join(unknown)}.")
    names = list(dict.fromkeys([*types, *descriptions]))
    parts = (("type", types), ("description", descriptions))
    return [{"name": name, **{part: texts[name] for part, texts in parts if name in texts}} for name in names]
