"""HTTP to the gateway: one pool, time-outs, retries, the key in the header and nowhere else."""

from __future__ import annotations

import json
import logging
import os
import platform
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, Dict, Optional, Protocol, Tuple, Union
from urllib.parse import urlencode

from hops import __version__
from hops.featurestore.address import Address, is_ip_address, is_private
from hops.featurestore.api_key import SecretText
from hops.featurestore.arguments import as_json
from hops.featurestore.errors import AnswerCutError, ConnectionFailedError, FeatureStoreError, NotConnectedError
from hops.featurestore.hints import connection_hint
from hops.featurestore.problems import error_from_answer
from hops.featurestore.retries import RetryPolicy, may_retry, parse_retry_after

if TYPE_CHECKING:
    import ssl

    import urllib3
    from urllib3.response import BaseHTTPResponse

log = logging.getLogger("hops")

CONNECT_TIMEOUT = 10.0
_POOL_SIZE = 8
_BLOCK_SIZE = 256 * 1024  # bytes per send of an upload
API = "/api/v1"
_REPEATABLE_METHODS = frozenset({"GET", "PUT"})


@dataclass(frozen=True)
class Request:
    """What to ask. `repeatable` is implied by the method or an `Idempotency-Key`, else said by the caller."""

    method: str
    path: str
    query: Mapping[str, Union[str, int]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Union[bytes, IO[bytes], None] = None
    repeatable: bool = False

    @property
    def target(self) -> str:
        return f"{API}{self.path}" + (f"?{urlencode(self.query)}" if self.query else "")

    @property
    def is_repeatable(self) -> bool:
        return self.repeatable or self.method in _REPEATABLE_METHODS or "Idempotency-Key" in self.headers


def json_request(method: str, path: str, body: Optional[Mapping[str, Any]] = None, **extra: Any) -> Request:
    """A request with a JSON body, if any. `extra` goes to Request."""
    if body is None:
        return Request(method, path, **extra)
    headers = {**extra.pop("headers", {}), "Content-Type": "application/json"}
    return Request(method, path, headers=headers, body=as_json(body).encode(), **extra)


class Authorization(Protocol):
    """What is sent in the header of that name: an API key, or a session that is renewed."""

    def header(self) -> Optional[SecretText]:
        """None sends nothing."""

    def renew(self, refused: str) -> bool:
        """Whether there is another header than the one that was refused."""

    def close(self) -> None:
        """Let go of what it holds open."""


class _NoKey:
    def header(self) -> Optional[SecretText]:
        return None

    def renew(self, refused: str) -> bool:  # noqa: ARG002 - nothing was refused
        return False

    def close(self) -> None:
        """There is nothing to close."""


NO_KEY = _NoKey()


class Transport:
    """Safe to use from several threads. `timeout` is seconds without a byte from the gateway."""

    def __init__(
        self,
        address: Address,
        key: Authorization,
        *,
        tls: Optional[ssl.SSLContext] = None,
        timeout: float = 300.0,
        retries: Optional[RetryPolicy] = None,
    ) -> None:
        self.address = address
        self.tls = tls
        self.timeout = timeout
        self.retries = retries or RetryPolicy()
        self.shows_progress = True
        # Until a store turns out to be out of reach from here.
        self.takes_parts = True
        self.reads_directly = True
        self.writes_directly = True
        self._key = key
        self._user_agent = _user_agent(tls)
        self._pool = _pool(address, tls, timeout)
        self._process = os.getpid()

    def json(self, request: Request) -> Any:
        """The JSON answered; None for an answer without body. Raises FeatureStoreError."""
        return read_json(self.open(request))

    def open(self, request: Request) -> BaseHTTPResponse:
        """A 2xx answer whose body is not read yet; the caller reads it and calls `release_conn` or `close`."""
        request = replace(request, headers={"X-Request-Id": uuid.uuid4().hex, **request.headers})
        # What counts once may take minutes before it fails, and is asked again all the same: nobody knows what became of it.
        started = None if "Idempotency-Key" in request.headers else self.retries.clock()
        attempt, renewed = 1, False
        while True:
            header = self._key.header()
            answer, failure, sent = self._attempt(request, header)
            if answer is not None:
                return answer
            if failure.status == 401 and header is not None and not renewed and self._key.renew(header):
                renewed = True
                continue
            wait, started = None, self.retries.clock() if started is None else started
            if may_retry(failure, repeatable=request.is_repeatable, sent=sent):
                wait = self.retries.wait_before(attempt + 1, getattr(failure, "retry_after", None), started)
            if wait is None:
                # Outside any `except`, so that no frame of urllib3 with the key's bytes hangs on this error.
                raise failure
            log.warning("%s %s: %s Trying again in %.1f s.", request.method, request.path, failure.detail, wait)
            self.retries.sleep(wait)
            attempt += 1

    @cached_property
    def is_near(self) -> bool:
        """Whether the gateway is on this machine or network, where packing takes longer than sending."""
        return is_private(self.address.host)

    def close(self) -> None:
        self._pool.close()
        self._key.close()

    def _attempt(
        self, request: Request, header: Optional[SecretText]
    ) -> Tuple[Optional[BaseHTTPResponse], FeatureStoreError, bool]:
        """(answer, _, _) or (None, why not, whether the gateway may have seen the request)."""
        import urllib3

        if os.getpid() != self._process:
            # A forked process has the sockets of its parent, and two would talk on one.
            self._pool, self._process = _pool(self.address, self.tls, self.timeout), os.getpid()
        if request.body is not None and not isinstance(request.body, bytes):
            request.body.seek(0)
        try:
            answer = self._pool.urlopen(
                request.method,
                request.target,
                body=request.body,
                headers=self._headers(request, header),
                retries=False,
                redirect=False,
                preload_content=False,
                enforce_content_length=True,
            )
        except urllib3.exceptions.ClosedPoolError:
            return None, NotConnectedError("This connection was closed.", hint="Call fs.connect(…) again."), False
        except (urllib3.exceptions.HTTPError, OSError) as error:
            sent = not isinstance(
                error, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
            )
            return None, self._no_answer(error, request), sent
        if 200 <= answer.status < 300:
            return answer, _NO_FAILURE, True
        return None, _refusal(answer, request), True

    def _headers(self, request: Request, header: Optional[SecretText]) -> Dict[str, str]:
        return {
            "Accept-Encoding": "identity",  # Arrow is compressed already, and the rest is small
            "User-Agent": self._user_agent,
            **request.headers,
            **({} if header is None else {"Authorization": header}),
        }

    def _no_answer(self, error: Exception, request: Request) -> ConnectionFailedError:
        return ConnectionFailedError(
            f"No answer from {self.address}: {error}",
            hint=connection_hint(str(error)),
            request_id=request.headers["X-Request-Id"],
        )


def read_json(answer: BaseHTTPResponse) -> Any:
    """What a 2xx answer holds; None if that is nothing."""
    try:
        body, failure = _read_all(answer)
    finally:
        answer.release_conn()
    if failure is not None:
        raise failure
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        raise error_from_answer(answer.status, answer.headers, b"") from None


_NO_FAILURE = FeatureStoreError("none")


def _pool(address: Address, tls: Optional[ssl.SSLContext], timeout: float) -> urllib3.HTTPConnectionPool:
    import urllib3

    limits = urllib3.Timeout(connect=min(CONNECT_TIMEOUT, timeout), read=timeout)
    if address.scheme == "http":
        return urllib3.HTTPConnectionPool(
            address.host, address.port, maxsize=_POOL_SIZE, timeout=limits, blocksize=_BLOCK_SIZE
        )
    assert tls is not None, "HTTPS needs a TLS context"
    name_is_checked = tls.check_hostname
    if name_is_checked and is_ip_address(address.host) and urllib3.__version__.startswith("1."):  # type: ignore[attr-defined]
        # This urllib3 names no server in the handshake if it is an IP address, which a checking context refuses;
        # told so, it compares certificate and address itself.
        tls.check_hostname = False
    return urllib3.HTTPSConnectionPool(
        address.host,
        address.port,
        maxsize=_POOL_SIZE,
        timeout=limits,
        blocksize=_BLOCK_SIZE,
        ssl_context=tls,
        # urllib3 1.26 overrides the context's own settings unless told the same again.
        cert_reqs=tls.verify_mode,
        assert_hostname=None if name_is_checked else False,
    )


def _user_agent(tls: Optional[ssl.SSLContext]) -> str:
    agent = f"oasthouse-cloud-sdk/{__version__} python/{platform.python_version()}"
    return agent if tls is None or tls.check_hostname else agent + " (tls-unverified)"


def _refusal(answer: BaseHTTPResponse, request: Request) -> FeatureStoreError:
    body, failure = _read_all(answer)
    answer.close()
    if failure is not None:
        body = b""
    error = error_from_answer(answer.status, answer.headers, body, request.headers["X-Request-Id"])
    error.retry_after = parse_retry_after(answer.headers.get("Retry-After"))
    return error


def _read_all(answer: BaseHTTPResponse) -> Tuple[bytes, Optional[AnswerCutError]]:
    import urllib3

    try:
        return answer.read(), None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        return b"", AnswerCutError(f"The answer broke off: {error}", request_id=answer.headers.get("X-Request-Id"))
