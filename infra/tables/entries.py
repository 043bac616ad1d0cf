"""One file of a Delta log, parsed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote


@dataclass(frozen=True)
class AddedFile:
    """A file as its commit names it. `path` is relative and plain, `stats` the JSON text that Delta keeps, or empty."""

    path: str
    bytes: int
    rows: int | None
    partition: dict[str, str | None]
    stats: str
    modified: int


@dataclass(frozen=True)
class LogEntry:
    """What one commit says. `schema` is Delta's JSON where the commit sets it; times are milliseconds since 1970."""

    version: int
    info: Mapping[str, Any]
    added: tuple[AddedFile, ...]
    removed: tuple[str, ...]
    schema: str | None
    partition_by: tuple[str, ...]
    timestamp: int
    changes_data: bool
    size: int


def parse_entry(version: int, text: bytes) -> LogEntry:
    actions = [json.loads(line) for line in text.splitlines() if line.strip()]
    named: dict[str, list[dict[str, Any]]] = {"commitInfo": [], "add": [], "remove": [], "metaData": []}
    for action in actions:
        for name in named.keys() & action.keys():
            named[name].append(action[name])
    info = named["commitInfo"][0] if named["commitInfo"] else {}
    added = tuple(_added(action) for action in named["add"])
    metadata = named["metaData"][0] if named["metaData"] else {}
    return LogEntry(
        version=version,
        info=info,
        added=added,
        removed=tuple(unquote(action["path"]) for action in named["remove"]),
        schema=metadata.get("schemaString"),
        partition_by=tuple(metadata.get("partitionColumns", ())),
        timestamp=_timestamp(info, added, named["remove"]),
        changes_data=any(action.get("dataChange", True) for action in [*named["add"], *named["remove"]]),
        size=len(text),
    )


def _added(action: Mapping[str, Any]) -> AddedFile:
    stats = action.get("stats") or ""
    return AddedFile(
        # The log holds URL-encoded paths; a partition value is encoded once more inside them, so decode once only.
        path=unquote(action["path"]),
        bytes=action["size"],
        rows=json.loads(stats).get("numRecords") if stats else None,
        # Delta lets a writer put a null as an empty text.
        partition={name: value or None for name, value in action.get("partitionValues", {}).items()},
        stats=stats,
        modified=action.get("modificationTime", 0),
    )


def _timestamp(info: Mapping[str, Any], added: tuple[AddedFile, ...], removed: list[dict[str, Any]]) -> int:
    """Writers need not say when they committed; the youngest file they brought in or took out comes close."""
    if "timestamp" in info:
        return int(info["timestamp"])
    return max([0, *(file.modified for file in added), *(action.get("deletionTimestamp") or 0 for action in removed)])
