"""Files in S3, opened with credentials that are renewed before they end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Optional, Tuple
from urllib.parse import urlsplit

from hops.featurestore.errors import AnswerCutError, FeatureStoreError
from hops.featurestore.part_places import may_be_plain
from hops.featurestore.table_credentials import TableCredentials
from hops.featurestore.transport import API, Request, Transport

if TYPE_CHECKING:
    import pyarrow as pa

    from hops.featurestore.manifests import Part

_RENEWED_BEFORE = 300.0  # seconds
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

    def renew(self, refused: int) -> None:
        """Get other credentials, unless another thread has since `refused`."""
        with self._lock:
            if refused == self._issue:
                self._store = None

    def current(self) -> Tuple[Any, int]:
        """The store, and the issue of the credentials that it is read with. Raises what the gateway refuses with."""
        with self._lock:
            if self._store is None or self._is_ending:
                self._credentials = self._checked(self._ask())
                self._store = _store(self._credentials)
                self._issue += 1
            return self._store, self._issue

    @property
    def _is_ending(self) -> bool:
        return self._credentials is None or self._credentials.seconds_left < _RENEWED_BEFORE

    def _ask(self) -> TableCredentials:
        raise NotImplementedError

    def _checked(self, made: TableCredentials) -> TableCredentials:
        if made.endpoint_url is not None:
            scheme = urlsplit(made.endpoint_url).scheme
            if scheme != "https" and not (scheme == "http" and may_be_plain(self._transport)):
                raise FeatureStoreError("The store would be reached unencrypted.")
        return made


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
        headers = {"Content-Type": "application/json"}
        # Asking twice does no harm.
        request = Request("POST", self._path[len(API) :], headers=headers, body=b"{}", repeatable=True)
        return TableCredentials.from_json(self._transport.json(request))


def _store(made: TableCredentials) -> Any:
    """Raises FeatureStoreError where this pyarrow was built without S3."""
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
        request_timeout=_REQUEST_SECONDS,
        **options,
    )
