"""Rows out of the gateway, in whatever form it answers them: all of them, or an error."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Optional, Union

from hops.featurestore.containers import READER, SPARK, convert_only
from hops.featurestore.direct import DirectSource
from hops.featurestore.manifests import PARTS, Manifest, is_manifest
from hops.featurestore.part_download import StoreUnusableError
from hops.featurestore.parts import PartsSource
from hops.featurestore.progress import Progress, begin_progress
from hops.featurestore.reader import RowReader
from hops.featurestore.spark import active_session, frame_from_parts
from hops.featurestore.streams import StreamSource
from hops.featurestore.transport import Request, Transport, read_json

if TYPE_CHECKING:
    import pyarrow as pa
    from urllib3.response import BaseHTTPResponse

    from hops.featurestore.reader import Source

log = logging.getLogger("hops")

_Answer = Union[Manifest, "BaseHTTPResponse"]

ARROW_STREAM = "application/vnd.apache.arrow.stream"


def fetch(transport: Transport, request: Request, container: str, *, progress: Optional[bool] = None) -> Any:
    """The rows that `request` asks for, as a frame of the kind that `resolve_container` named.

    `progress` False shows none; otherwise the connection's setting decides. Raises AnswerCutError rather than give a part.
    """
    if container == READER:
        return open_reader(transport, request, progress=progress)
    answer = _ask(transport, request)
    if container == SPARK and isinstance(answer, Manifest) and answer.is_readable_by_spark:
        return frame_from_parts(active_session(), answer)
    return convert_only([_table(_source(transport, request, answer, progress))], container)


def open_reader(transport: Transport, request: Request, *, progress: Optional[bool] = None) -> RowReader:
    """The rows as they arrive, in constant memory. Errors before the first row are raised here."""
    return RowReader(_source(transport, request, _ask(transport, request), progress))


def _ask(transport: Transport, request: Request) -> _Answer:
    """Says which forms of an answer are understood, and how to pack it."""
    accepted = f"{PARTS}, {ARROW_STREAM}" if transport.takes_parts else ARROW_STREAM
    query = {"compression": "none" if transport.is_near else "lz4", **request.query}
    answer = transport.open(replace(request, headers={"Accept": accepted, **request.headers}, query=query))
    return Manifest.from_json(read_json(answer)) if is_manifest(answer) else answer


def _source(transport: Transport, request: Request, answer: _Answer, shown: Optional[bool]) -> Source:
    progress = begin_progress(transport.shows_progress if shown is None else shown)
    if not isinstance(answer, Manifest):
        return StreamSource(answer, progress)
    if transport.reads_directly and answer.is_direct and (direct := _direct(transport, answer, progress)) is not None:
        return direct
    source = PartsSource(transport, answer, progress)
    try:
        source.start()
    except StoreUnusableError as error:
        source.close()
        log.warning("%s The rows come through the gateway from now on.", error.detail)
        transport.takes_parts = False
        return _stream_instead(transport, request, error, shown)
    except BaseException:
        source.close()
        raise
    return source


def _direct(transport: Transport, manifest: Manifest, progress: Progress) -> Optional[Source]:
    """None where S3 cannot be read from here; then it is not tried again by this connection."""
    source = DirectSource(transport, manifest, progress)
    try:
        source.start()
    except StoreUnusableError as error:
        transport.reads_directly = False
        log.warning(
            "S3 is not read directly from here: %s The files are fetched at addresses that the gateway signs.",
            error.detail,
        )
        return None
    return source


def _stream_instead(transport: Transport, request: Request, error: StoreUnusableError, shown: Optional[bool]) -> Source:
    answer = _ask(transport, request)
    if isinstance(answer, Manifest):
        raise error
    return StreamSource(answer, begin_progress(transport.shows_progress if shown is None else shown))


def _table(source: Source) -> pa.Table:
    try:
        return source.table()
    except BaseException:
        source.close()
        raise
