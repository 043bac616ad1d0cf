"""The list of files that a whole feature group consists of, as the gateway answers it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

from hops.featurestore.errors import AnswerCutError

if TYPE_CHECKING:
    import pyarrow as pa
    from urllib3.response import BaseHTTPResponse

PARTS = "application/vnd.oasthouse.parts+json"


@dataclass(frozen=True)
class Part:
    """One Parquet file. `uri` is where Spark finds it, if it may read the warehouse with credentials of its own.

    `file` is where it lies in S3, if the gateway gives out credentials for the table.
    """

    url: str
    bytes: int
    rows: int
    partition: Mapping[str, Optional[str]]
    uri: Optional[str] = None
    file: Optional[str] = None

    @property
    def spark_uri(self) -> Optional[str]:
        return None if self.uri is None else spark_address(self.uri)


@dataclass(frozen=True)
class Manifest:
    """All of one version of a group's table. `url` is where the gateway answers the same parts with fresh addresses.

    `credentials` is where it gives out credentials to read them with; None where it does not, and then `why` says why.
    `schema` is that of the rows: files lack the partition columns, and those that the group got after they were written.
    """

    url: str
    table_version: int
    schema: pa.Schema
    rows: int
    bytes: int
    parts: Tuple[Part, ...]
    credentials: Optional[str] = None
    why: str = ""

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> Manifest:
        """Raises AnswerCutError for a manifest whose parts do not add up."""
        import pyarrow as pa

        schema = pa.ipc.read_schema(pa.BufferReader(base64.b64decode(answer["schema"])))
        parts = tuple(_part(part) for part in answer["parts"])
        told = (answer["url"], answer["table_version"], schema, answer["rows"], answer["bytes"], parts)
        # Gateways before credentials say nothing of them.
        manifest = cls(*told, answer.get("credentials"), answer.get("transfer", {}).get("why", ""))
        if manifest.rows != sum(part.rows for part in parts) or manifest.bytes != sum(part.bytes for part in parts):
            raise AnswerCutError("The gateway's list of parts does not add up; no rows are returned.")
        return manifest

    @property
    def is_direct(self) -> bool:
        """Whether its files can be read in S3 with credentials that the gateway gives out."""
        api = "/api/v1/"
        is_ours = self.credentials is not None and self.credentials.startswith(api)
        return is_ours and all((part.file or "").startswith("s3://") for part in self.parts)

    @property
    def is_readable_by_spark(self) -> bool:
        return all(part.spark_uri is not None for part in self.parts)

    def has_parts_of(self, other: Manifest) -> bool:
        """Whether both name the same files, wherever those are to be had."""
        ours, theirs = ([(part.bytes, part.rows, part.partition) for part in each.parts] for each in (self, other))
        return self.table_version == other.table_version and ours == theirs


def spark_address(uri: str) -> Optional[str]:
    """None where Spark cannot be told of the file: it takes some signs for patterns, and `%` is read in two ways."""
    if any(sign in uri for sign in "*?[]{}%"):
        return None
    return f"file://{uri}" if uri.startswith("/") else uri


def is_manifest(answer: BaseHTTPResponse) -> bool:
    return bool(answer.headers.get("Content-Type", "").startswith(PARTS))


def _part(answer: Mapping[str, Any]) -> Part:
    partition: Dict[str, Optional[str]] = answer["partition"]
    places = (answer.get("uri"), answer.get("file"))
    return Part(answer["url"], answer["bytes"], answer["rows"], partition, *places)
