"""Answers a whole feature group as a manifest of its parts, and one part as a file."""

import base64
from pathlib import Path
from typing import Any

from flask import Response, jsonify, request, send_file, url_for

from app.featurestore.feature_groups.frames import PARQUET
from app.featurestore.parts.manifest import Part, PartsManifest
from app.featurestore.query.transfer import TransferMode

PARTS = "application/vnd.oasthouse.parts+json"


def takes_parts() -> bool:
    """Whether the caller named the manifest's type; `*/*` has always meant a stream."""
    return any(media == PARTS and quality > 0 for media, quality in request.accept_mimetypes)


def parts_response(manifest: PartsManifest, **group: Any) -> Response:
    """`group` are the values of its rule. Addresses of our own have no host: clients know which one they asked."""
    pinned = {**group, "table_version": manifest.table_version}
    body = {
        "url": url_for("feature-groups.FeatureGroupParts", **pinned),
        "table_version": manifest.table_version,
        "schema": base64.b64encode(manifest.schema.serialize()).decode(),
        "rows": manifest.rows,
        "bytes": manifest.bytes,
        "parts": [_part(part, {**pinned, "part": number}) for number, part in enumerate(manifest.parts)],
        "expires_at": manifest.expires_at.isoformat() if manifest.expires_at else None,
        "transfer": {"mode": manifest.transfer.mode.value, "why": manifest.transfer.why},
    }
    if manifest.transfer.mode is TransferMode.DIRECT:
        body["credentials"] = url_for("vending.FeatureGroupCredentials", **group)
    response = jsonify(body)
    response.content_type = PARTS
    return response


def part_response(path: Path) -> Response:
    """The file, or the range of it that is asked for, sent by the server's own means: no byte passes through Python."""
    response = send_file(path, mimetype=PARQUET, conditional=True, etag=True)
    response.headers["Cache-Control"] = "no-store"
    return response


def _part(part: Part, values: dict[str, Any]) -> dict[str, Any]:
    url = part.presigned or url_for("feature-groups.FeatureGroupPart", **values)
    body = {"url": url, "bytes": part.bytes, "rows": part.rows, "partition": part.partition}
    places = {"uri": part.uri, "file": part.file}
    return {**body, **{name: place for name, place in places.items() if place is not None}}
