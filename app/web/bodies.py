"""Receives frames whole, or refuses them. The server hands a cut body on as if it were complete; we count."""

import base64
import binascii
import hashlib
import hmac
import json
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from flask import Request, g, request
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser

from app.featurestore.feature_groups.frames import (
    ARROW_STREAM,
    PARQUET,
    BodyTruncatedError,
    Frame,
    Upload,
)
from app.web.problems import fields_not_valid
from app.web.state import current_container
from infra.errors import ErrorKind, InvalidInputError, StorageUnavailableError, TooLargeError

MAX_JSON_BYTES = 1024 * 1024
STAGED = "application/vnd.oasthouse.staged+json"
_CHUNK = 1024 * 1024


class MediaTypeUnsupportedError(InvalidInputError):
    """Neither JSON nor one of the two frame formats."""

    code = "media-type-unsupported"
    kind = ErrorKind.MEDIA_TYPE
    title = "The content type is not supported"


class JsonMalformedError(InvalidInputError):
    """The body is no JSON, or JSON that only an attacker writes."""

    code = "json-malformed"
    kind = ErrorKind.MALFORMED
    title = "The body is not JSON"


class HeaderMissingError(InvalidInputError):
    """A body without the headers that prove it is whole."""

    code = "header-missing"
    kind = ErrorKind.MALFORMED
    title = "A required header is missing"


class DigestMismatchError(InvalidInputError):
    """The bytes are not those that were sent."""

    code = "digest-mismatch"
    kind = ErrorKind.MALFORMED
    title = "The digest does not match"


class BodyTooLargeError(TooLargeError):
    """More bytes than the gateway takes at once."""

    code = "body-too-large"
    title = "The body is too large"


def is_frame() -> bool:
    return request.mimetype in (ARROW_STREAM, PARQUET)


def is_reference() -> bool:
    """Whether the body says where the rows are, in place of them."""
    return request.mimetype == STAGED


@dataclass(frozen=True)
class AnnouncedFrame:
    """What the headers say of a frame that is still to be received."""

    length: int
    rows: int
    digest: bytes


def announced_frame() -> AnnouncedFrame:
    """Raises HeaderMissingError or BodyTooLargeError without reading a byte of the body."""
    length = _require_length(request, current_container().settings.uploads.max_bytes)
    return AnnouncedFrame(length, _require_row_count(request), _require_digest(request))


def require_small_body() -> None:
    """JSON is read into memory: only so much of it, and only of announced length, because a chunked body is cut in silence."""
    request.max_content_length = MAX_JSON_BYTES
    if "Transfer-Encoding" in request.headers:
        raise HeaderMissingError("A body needs a Content-Length; chunked ones are not taken.")
    if (request.content_length or 0) > MAX_JSON_BYTES:
        raise BodyTooLargeError(f"{request.content_length:,} bytes; {MAX_JSON_BYTES:,} is the most for JSON.")


def read_small_body(incoming: Request) -> bytes:
    """All of it, or BodyTruncatedError: a body cut to nothing would pass for one that asks for the defaults."""
    text = incoming.get_data(cache=True)
    if len(text) < (incoming.content_length or 0):
        raise _truncated(incoming.content_length or 0, (incoming.content_length or 0) - len(text))
    return text


def receive_frame() -> Frame:
    """The request's body as a frame on disk, removed when the request ends."""
    if not is_frame():
        raise MediaTypeUnsupportedError(
            f"{request.mimetype or 'no type'!r} is no frame.", candidates=[ARROW_STREAM, PARQUET]
        )
    settings = current_container().settings.uploads
    announced = announced_frame()
    spool = cast("IO[bytes]", tempfile.NamedTemporaryFile(prefix="oast-", dir=settings.spool_dir))  # noqa: SIM115 closed at teardown
    g.setdefault("spools", []).append(spool)
    received = _copy(request.environ["wsgi.input"], spool, announced.length)
    if not hmac.compare_digest(received, announced.digest):
        raise DigestMismatchError("The body is not the one whose digest was sent.", hint="Send the request again.")
    return Frame(Upload(Path(spool.name), request.mimetype, announced.rows, settings.max_expanded_bytes))


def discard_frame() -> None:
    """Take the body off the wire though nobody needs it: a client still sending would lose the answer to a broken pipe."""
    if is_frame():
        left, source = announced_frame().length, request.environ["wsgi.input"]
        with suppress(OSError):  # the client is gone, and the answer with it
            while left and (chunk := source.read(min(_CHUNK, left))):
                left -= len(chunk)


def receive_command(schema: Schema) -> tuple[Any, Frame | None]:
    """A command from a JSON body, or from the metadata of a frame that comes with it."""
    if not is_frame():
        return load_json(schema, _json_body()), None
    frame = receive_frame()
    if frame.command is None:
        raise InvalidInputError("The frame's schema metadata has no key `oasthouse`, which says what to make of it.")
    return load_json(schema, frame.command), frame


def receive_reference(schema: Schema) -> Any:
    return load_json(schema, read_small_body(request))


def _json_body() -> bytes:
    """Clients often send JSON under another name; what is no JSON either is told by the name it came under."""
    # An absent body is an empty object, so that the schema says what is missing.
    text = read_small_body(request).strip() or b"{}"
    try:
        parse_json(text)
    except JsonMalformedError as error:
        if request.is_json:
            raise
        raise MediaTypeUnsupportedError(
            f"{request.mimetype or 'no type'!r} is neither JSON nor a frame.",
            candidates=["application/json", ARROW_STREAM, PARQUET],
        ) from error
    return text


def load_json(schema: Schema, text: bytes) -> Any:
    try:
        return schema.load(parse_json(text))
    except ValidationError as error:
        raise fields_not_valid(error.messages) from error


def parse_json(text: bytes) -> Any:
    """Raises JsonMalformedError, also for numbers that JSON does not have and for nesting without end."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise JsonMalformedError("The body is not JSON.") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


class BodyParser(FlaskParser):
    """Reads JSON bodies with our limits; an absent body is an empty object, so that the schema says what is missing."""

    def _raw_load_json(self, req: Request) -> Any:
        text = read_small_body(req)
        return parse_json(text) if text.strip() else {}


def close_spools(_error: BaseException | None = None) -> None:
    for spool in g.pop("spools", []):
        spool.close()


def _require_length(incoming: Request, limit: int) -> int:
    length = incoming.content_length
    if length is None or "Transfer-Encoding" in incoming.headers:
        raise HeaderMissingError("A frame needs a Content-Length, without which a cut body looks whole.")
    if length > limit:
        raise BodyTooLargeError(f"{length:,} bytes; {limit:,} is the most.", hint="Insert the frame in several parts.")
    return length


def _require_row_count(incoming: Request) -> int:
    text = incoming.headers.get("X-Row-Count", "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise HeaderMissingError("A frame needs X-Row-Count, the number of its rows.")
    return int(text)


def _require_digest(incoming: Request) -> bytes:
    for part in incoming.headers.get("Content-Digest", "").split(","):
        algorithm, _, value = part.strip().partition("=")
        if algorithm.lower() == "sha-256" and len(value) > 2 and value[0] == value[-1] == ":":
            try:
                return base64.b64decode(value[1:-1], validate=True)
            except binascii.Error:
                break
    raise HeaderMissingError("A frame needs `Content-Digest: sha-256=:<base64>:` (RFC 9530).")


def _copy(source: IO[bytes], target: IO[bytes], length: int) -> bytes:
    """Copy exactly `length` bytes and return their SHA-256; a body that ends early is refused."""
    digest, left = hashlib.sha256(), length
    while left:
        try:
            chunk = source.read(min(_CHUNK, left))
        except OSError as error:
            raise _truncated(length, left) from error
        if not chunk:
            raise _truncated(length, left)
        digest.update(chunk)
        _spool(target, chunk)
        left -= len(chunk)
    return digest.digest()


def _spool(target: IO[bytes], chunk: bytes) -> None:
    try:
        target.write(chunk)
        target.flush()
    except OSError as error:
        raise StorageUnavailableError("The gateway has no room for the body just now.", retry_after=30) from error


def _truncated(length: int, left: int) -> BodyTruncatedError:
    return BodyTruncatedError(
        f"{length - left:,} of {length:,} bytes arrived. Nothing was stored.", hint="Send it again."
    )
