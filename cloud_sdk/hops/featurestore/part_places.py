"""Where parts are fetched from: the gateway, with the key, or a store, with nothing but the address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Optional, Tuple
from urllib.parse import SplitResult, urlsplit

from hops.featurestore.address import is_loopback
from hops.featurestore.errors import AnswerCutError, ConnectionFailedError, FeatureStoreError
from hops.featurestore.tls import store_context
from hops.featurestore.transport import API, CONNECT_TIMEOUT, Request, Transport

if TYPE_CHECKING:
    import urllib3
    from urllib3.response import BaseHTTPResponse

# What a store answers to an address that expired, was signed with credentials that did, or names what is gone.
_STALE_STATUS = frozenset({400, 401, 403, 404})
_RETRIED_STATUS = frozenset({408, 429, 500, 502, 503, 504})
_DEFAULT_PORT = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Failure:
    """`retry`: the same again may help. `stale`: a fresh address may. `unreached`: there was not even a connection.

    `wrong`: what came is not what the gateway said, wherever it is fetched from.
    """

    error: FeatureStoreError
    retry: bool = False
    stale: bool = False
    unreached: bool = False
    wrong: bool = False


Opened = Tuple[Optional["BaseHTTPResponse"], Optional[Failure]]


class Places:
    """Opens a part's address wherever it leads. Safe to use from several threads."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._stores: Optional[urllib3.PoolManager] = None

    def is_store(self, url: str) -> bool:
        """Whether it leads away from the gateway: only a path, or the gateway's own origin, may be given the key."""
        parts, gateway = urlsplit(url), self._transport.address
        if not parts.scheme and not parts.netloc:
            return False
        port = parts.port or _DEFAULT_PORT.get(parts.scheme)
        return (parts.scheme, parts.hostname, port) != (gateway.scheme, gateway.host, gateway.port)

    def open(self, url: str, offset: int, etag: Optional[str]) -> Opened:
        """The answer to a GET of the bytes from `offset` on. What the gateway refuses is raised."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        if etag is not None:
            headers["If-Match"] = etag
        parts = urlsplit(url)
        if self.is_store(url):
            return self._open_at_store(url, parts, headers)
        if not parts.path.startswith(API + "/"):
            raise AnswerCutError("The gateway names a part outside its API; no rows are returned.")
        return self._transport.open(Request("GET", parts.path[len(API) :], headers=headers)), None

    def close(self) -> None:
        if self._stores is not None:
            self._stores.clear()

    def _open_at_store(self, url: str, parts: SplitResult, headers: Dict[str, str]) -> Opened:
        """None of our headers and no key; nor is the address, which is as good as a key while it lasts, ever shown."""
        import urllib3

        if not self._is_safe(parts):
            return None, Failure(ConnectionFailedError(f"{parts.netloc} would be read unencrypted."), unreached=True)
        try:
            answer = self._store_pool().urlopen(
                "GET",
                url,
                headers={"Accept-Encoding": "identity", **headers},
                retries=False,
                redirect=False,
                preload_content=False,
                enforce_content_length=True,
            )
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # ValueError: urllib3 1.26 checks no certificate for an IP address.
            return None, _no_answer(parts, error)
        if 200 <= answer.status < 300:
            return answer, None
        answer.close()
        return None, _refusal(parts, answer.status)

    def _is_safe(self, parts: SplitResult) -> bool:
        return parts.scheme == "https" or (parts.scheme == "http" and may_be_plain(self._transport))

    def _store_pool(self) -> urllib3.PoolManager:
        import urllib3

        if self._stores is None:
            timeout = self._transport.timeout
            self._stores = urllib3.PoolManager(
                maxsize=8,
                timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT, timeout), read=timeout),
                ssl_context=store_context(self._transport.tls),
            )
        return self._stores


def may_be_plain(transport: Transport) -> bool:
    """Whether a store may be read unencrypted: only where the gateway is, or is on this machine."""
    return transport.address.scheme == "http" or is_loopback(transport.address.host)


def _no_answer(parts: SplitResult, error: Exception) -> Failure:
    import urllib3

    refused = (
        urllib3.exceptions.NewConnectionError,
        urllib3.exceptions.ConnectTimeoutError,
        urllib3.exceptions.SSLError,
        ValueError,
    )
    detail = f"No answer from the store {parts.netloc}: {type(error).__name__}."
    return Failure(ConnectionFailedError(detail), retry=True, unreached=isinstance(error, refused))


def _refusal(parts: SplitResult, status: int) -> Failure:
    error = AnswerCutError(f"The store {parts.netloc} answered {status} to a part; no rows are returned.")
    return Failure(error, retry=status in _RETRIED_STATUS, stale=status in _STALE_STATUS)
