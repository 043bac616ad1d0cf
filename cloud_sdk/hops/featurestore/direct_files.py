"""Files in S3, opened with credentials that are renewed before they end."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Mapping, Optional, Tuple
from urllib.parse import urlsplit

from hops.featurestore.errors import AnswerCutError, FeatureStoreError
from hops.featurestore.part_places import may_be_plain
from hops.featurestore.table_credentials import TableCredentials
from hops.featurestore.transport import API, Request, Transport

if TYPE_CHECKING:
    import pyarrow as pa

    from hops.featurestore.manifests import Part

log = logging.getLogger("hops")

_RENEWED_BEFORE = 300.0  # seconds
_PAUSE = 30.0  # seconds between two askings for credentials that do not end yet
_CONNECT_SECONDS = 5.0
_REQUEST_SECONDS = 30.0


class RenewedStore:
    """Safe to use from several threads."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._store: Any = None
        self._credentials: Optional[TableCredentials] = None
        self._issue = 0
        self._ask_again_at = 0.0

    def renew(self, refused: int) -> None:
        """Get other credentials, unless another thread has since `refused`."""
        with self._lock:
            if refused == self._issue:
                self._store = None

    def current(self) -> Tuple[Any, int]:
        """The store, and the issue of the credentials that it is reached with. Raises what the gateway refuses with."""
        with self._lock:
            if self._store is None:
                self._take()
            elif self._is_ending:
                self._take_early()
            return self._store, self._issue

    def _take(self) -> None:
        try:
            made = self._ask()
            self._store, self._credentials = open_store(made), made
            self._issue += 1
        finally:
            self._ask_again_at = time.monotonic() + _PAUSE

    def _take_early(self) -> None:
        """What was given holds to its end, whoever refuses more; the store says when that is."""
        try:
            self._take()
        except FeatureStoreError as error:
            log.warning("The credentials for S3 could not be renewed yet: %s", error.detail)

    @property
    def _is_ending(self) -> bool:
        """As this machine's clock has it, which may be minutes off: then the new ones seem to end as well."""
        is_over = self._credentials is None or self._credentials.seconds_left < _RENEWED_BEFORE
        return is_over and time.monotonic() >= self._ask_again_at

    def _ask(self) -> TableCredentials:
        raise NotImplementedError


class DirectFiles(RenewedStore):
    """A table's. `path` is where the gateway gives credentials out."""

    def __init__(self, transport: Transport, path: str) -> None:
        super().__init__(transport)
        self._path = path

    def open(self, store: Any, part: Part) -> pa.NativeFile:
        """Raises OSError."""
        file = store.open_input_file((part.file or "")[len("s3://") :])
        if file.size() != part.bytes:
            file.close()
            raise AnswerCutError("A file in S3 is not the one that the gateway named; no rows are returned.")
        return file

    def _ask(self) -> TableCredentials:
        return take_credentials(self._transport, self._path)


def take_credentials(transport: Transport, path: str) -> TableCredentials:
    """`path` as the gateway names it. Raises FeatureStoreError where they are for a store that must not be asked so."""
    headers = {"Content-Type": "application/json"}
    # Asking twice does no harm.
    request = Request("POST", path[len(API) :], headers=headers, body=b"{}", repeatable=True)
    return read_credentials(transport, transport.json(request))


def read_credentials(transport: Transport, answer: Mapping[str, Any]) -> TableCredentials:
    """Of an answer. Raises FeatureStoreError as `take_credentials` does."""
    made = TableCredentials.from_json(answer)
    if made.endpoint_url is not None:
        scheme = urlsplit(made.endpoint_url).scheme
        if scheme != "https" and not (scheme == "http" and may_be_plain(transport)):
            raise FeatureStoreError("The store would be reached unencrypted.")
    return made


def open_store(made: TableCredentials, *, seconds: float = _REQUEST_SECONDS) -> Any:
    """`seconds` of silence end a request. Raises FeatureStoreError where this pyarrow was built without S3."""
    try:
        from pyarrow.fs import S3FileSystem, resolve_s3_region
    except ImportError:
        raise FeatureStoreError("This pyarrow cannot read S3.") from None
    options = {}
    if made.endpoint_url is not None:
        parts = urlsplit(made.endpoint_url)
        options = {"endpoint_override": parts.netloc, "scheme": parts.scheme}
    return S3FileSystem(
        access_key=made.access_key_id,
        secret_key=made.secret_access_key,
        session_token=made.session_token,
        region=made.region or resolve_s3_region(made.bucket),
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=seconds,
        **options,
    )
