"""Labels: the rows that features are attached to. They stay where they are; only keys and times are sent.

Of labels that do not fit into memory, everything is sent and comes back with its features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

from hops.featurestore.containers import SPARK, convert
from hops.featurestore.download import fetch
from hops.featurestore.errors import AnswerCutError, FeatureStoreError, FrameConversionError, InvalidInputError
from hops.featurestore.expressions import label_options, require_no_inner
from hops.featurestore.extras import require
from hops.featurestore.frames import to_record_batches
from hops.featurestore.label_checks import hints_for, require_labels, require_units, require_zones
from hops.featurestore.label_files import file_batches
from hops.featurestore.metadata import FeatureGroup
from hops.featurestore.spark_plans import planned_frame
from hops.featurestore.transport import Request, Transport, json_request
from hops.featurestore.upload import command_request, frame_request

if TYPE_CHECKING:
    import pyarrow as pa


def get_features(
    transport: Transport,
    path: str,
    expression: Mapping[str, Any],
    spine: Any,
    event_time: Optional[str],
    container: str,
) -> Any:
    """The labels with their features: as many rows, in the same order. Raises AnswerCutError rather than give fewer."""
    named = _checked(expression, spine, event_time)
    with hints_for(spine):
        if container == SPARK and not isinstance(spine, Path):
            frame = planned_frame(transport, path, expression, named or spine, event_time)
            if frame is not None:
                return frame
        if spine is None or named is not None:
            return fetch(transport, _without_rows(path, expression, named, event_time), container)
    if isinstance(spine, Path):
        return _sent_whole(transport, path, expression, file_batches(spine), event_time, container)
    if hasattr(spine, "read_next_batch"):  # rows that come one batch after the other and only once
        return _sent_whole(transport, path, expression, spine, event_time, container)
    return _attached(transport, path, expression, spine, event_time, container)


def explain(
    transport: Transport, path: str, expression: Mapping[str, Any], spine: Any, event_time: Optional[str]
) -> Any:
    """The gateway's explanation as JSON. Of a frame only the names and types of its columns are sent."""
    named = _checked(expression, spine, event_time)
    with hints_for(spine):
        if spine is None or named is not None:
            return transport.json(_without_rows(path, expression, named, event_time))
        schema = to_record_batches(file_batches(spine) if isinstance(spine, Path) else spine).schema
        return _explained(transport, path, expression, schema, event_time)


@contextmanager
def kept(
    path: str, command: Mapping[str, Any], expression: Mapping[str, Any], spine: Any, event_time: Optional[str]
) -> Iterator[Request]:
    """A request to keep the rows where they are made. Everything of the labels is sent, for all of it is kept."""
    named = _checked(expression, spine, event_time)
    with hints_for(spine):
        if spine is None or named is not None:
            yield command_request(path, {**command, "query": _question(expression, named, event_time)})
            return
        rows = to_record_batches(file_batches(spine) if isinstance(spine, Path) else spine)
        require_units(expression, rows.schema, event_time)
        asked = {**expression, "labels": label_options(event_time=event_time)}
        with frame_request(path, rows, command={**command, "query": asked}) as request:
            yield request


def _checked(expression: Mapping[str, Any], spine: Any, event_time: Optional[str]) -> Optional[str]:
    """The name of the feature group that the labels are, if they are one."""
    if spine is None:
        return None
    require_no_inner(expression)
    named = _feature_group(spine)
    if named is None and not isinstance(spine, Path):
        require_labels(spine)
        require_zones(spine, event_time)
    return named


def _without_rows(path: str, expression: Mapping[str, Any], named: Optional[str], event_time: Optional[str]) -> Request:
    return json_request("POST", path, _question(expression, named, event_time), repeatable=True)


def _question(expression: Mapping[str, Any], named: Optional[str], event_time: Optional[str]) -> Dict[str, Any]:
    """Without labels, or with those of a feature group."""
    labels = {} if named is None else {"labels": label_options(feature_group=named, event_time=event_time)}
    return {**expression, **labels}


def _attached(
    transport: Transport,
    path: str,
    expression: Mapping[str, Any],
    spine: Any,
    event_time: Optional[str],
    container: str,
) -> Any:
    """Sends the columns that the gateway needs of the labels, and puts the features beside the labels as they are."""
    table, unsendable = _sendable(spine, container)
    try:
        with hints_for(spine):
            explained = _explained(transport, f"{path}/explain", expression, table.schema, event_time)
    except FeatureStoreError as error:
        # Perhaps it is the column that was left out which the gateway misses.
        raise (unsendable or error) from None
    needed = explained["labels"]["columns"]
    asked = {**expression, "labels": {"given_back": [], **label_options(event_time=event_time)}}
    # A table without columns has no rows: a column is sent even where nothing is compared.
    sent = table.select(needed or table.column_names[:1])
    with frame_request(path, sent, command=asked, repeatable_by_key=False) as request:
        answer = fetch(transport, request, "pyarrow")
    if answer.num_rows != table.num_rows:
        raise AnswerCutError(f"{answer.num_rows:,} rows came back for {table.num_rows:,} labels; none are returned.")
    features = answer.select([name for name in answer.column_names if name not in table.column_names])
    return _beside(spine, table, features, container)


def _sendable(spine: Any, container: str) -> Tuple[pa.Table, Optional[FrameConversionError]]:
    """The labels as a table. Of pandas labels that stay pandas, columns that Arrow has no type for are left out."""
    try:
        return to_record_batches(spine).read_all(), None
    except FrameConversionError as error:
        if not _stays_pandas(spine, container) or any(name in spine.columns for name in spine.index.names):
            raise
        unsendable = error
    columns: Dict[str, pa.ChunkedArray] = {}
    for part in (spine[[]], *(spine[[name]].reset_index(drop=True) for name in spine.columns)):
        with suppress(FrameConversionError):
            table = to_record_batches(part).read_all()
            columns.update(zip(table.column_names, table.columns))
    return require("pyarrow").table(columns), unsendable


def _beside(spine: Any, table: pa.Table, features: pa.Table, container: str) -> Any:
    if _stays_pandas(spine, container):
        columns = convert(features, "pandas")
        twice = [name for name in columns if name in spine.columns]
        if twice:
            raise InvalidInputError(
                f"There would be two columns {twice[0]!r}: of the labels and of a feature group.",
                hint='Give it a prefix: joins={"<group>": {"prefix": "…"}}.',
            )
        columns.index = spine.index
        return require("pandas").concat([spine, columns], axis=1)
    for name in features.column_names:
        table = table.append_column(features.schema.field(name), features.column(name))
    return convert(table, container)


def _stays_pandas(spine: Any, container: str) -> bool:
    return container == "pandas" and isinstance(spine, require("pandas").DataFrame)


def _sent_whole(
    transport: Transport, path: str, expression: Mapping[str, Any], rows: Any, event_time: Optional[str], container: str
) -> Any:
    require_units(expression, rows.schema, event_time)
    asked = {**expression, "labels": label_options(event_time=event_time)}
    with frame_request(path, rows, command=asked, repeatable_by_key=False) as request:
        return fetch(transport, request, container)


def _explained(
    transport: Transport, path: str, expression: Mapping[str, Any], schema: pa.Schema, event_time: Optional[str]
) -> Any:
    require_units(expression, schema, event_time)
    asked = {**expression, "labels": label_options(event_time=event_time)}
    with frame_request(path, schema.empty_table(), command=asked, repeatable_by_key=False) as request:
        return transport.json(request)


def _feature_group(spine: Any) -> Optional[str]:
    if isinstance(spine, str):
        return spine
    return f"{spine.featurestore}.{spine.name}_{spine.version}" if isinstance(spine, FeatureGroup) else None
