"""Asks AWS STS who signed a proof: the gateway's own request, with the few parts that only the signer can know."""

import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Final
from urllib.parse import SplitResult, urlsplit

import structlog
import urllib3
from botocore.httpsession import get_cert_path
from urllib3.response import BaseHTTPResponse

from infra.identity.answers import not_understood, read_identity
from infra.identity.proofs import BODY, CONTENT_TYPE, WINDOW, checked_signature
from infra.ports.identity import CallerIdentity, IdentityRefusedError, IdentityUnavailableError, LoginProof

SECONDS: Final = 3.0
MOST_BYTES: Final = 16 * 1024
AT_ONCE: Final = 4
"""Questions under way in one process: nobody was authenticated yet, and each holds a thread."""
_WARN: Final = timedelta(seconds=60)
_log = structlog.get_logger(__name__)


class StsIdentityProvider:
    """`endpoint_url` is the operator's word and replaces where is asked, never what."""

    def __init__(self, *, server_id: str, regions: frozenset[str], endpoint_url: str | None = None) -> None:
        self._server_id = server_id
        self._regions = regions
        self._endpoint_url = endpoint_url
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def check(self, proof: LoginProof, now: datetime) -> str:
        return checked_signature(proof, server_id=self._server_id, regions=self._regions, now=now)

    def identify(self, proof: LoginProof, now: datetime) -> CallerIdentity:
        self.check(proof, now)
        if not self._turns.acquire(timeout=SECONDS):
            raise IdentityUnavailableError("Too many logins are being checked at this moment.", retry_after=1)
        try:
            return self._ask(proof, now)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            _log.warning("sts does not answer", region=proof.region, error=type(error).__name__)
            raise IdentityUnavailableError("AWS STS does not answer.", retry_after=2) from None
        finally:
            self._turns.release()

    def _ask(self, proof: LoginProof, now: datetime) -> CallerIdentity:
        host = sts_host(proof.region)
        where = urlsplit(self._endpoint_url or f"https://{host}")
        answer = self._pools.connection_from_host(where.hostname, port=_port(where), scheme=where.scheme).urlopen(
            "POST",
            "/",
            body=BODY.encode(),
            headers={
                "Host": host,
                "Content-Type": CONTENT_TYPE,
                "X-Amz-Date": proof.amz_date,
                "X-Amz-Security-Token": proof.security_token,
                "X-Oast-Nonce": proof.nonce,
                "X-Oast-Server-ID": self._server_id,
                "Authorization": proof.authorization,
                "Accept": "text/xml",
                "Accept-Encoding": "identity",
            },
            retries=False,
            redirect=False,
            preload_content=False,
            assert_same_host=False,
        )
        try:
            return _identity(answer, now)
        finally:
            # A connection is used for one question: nothing of one caller's answer can meet another's.
            answer.close()

    @cached_property
    def _pools(self) -> urllib3.PoolManager:
        # A plain pool manager reads no proxy from the environment.
        context = ssl.create_default_context(cafile=get_cert_path(verify=True))
        return urllib3.PoolManager(
            timeout=urllib3.Timeout(total=SECONDS), maxsize=AT_ONCE, ssl_context=context, retries=False
        )


def sts_host(region: str) -> str:
    """Of a region whose form was checked."""
    return f"sts.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")


def _port(where: SplitResult) -> int:
    return where.port or (443 if where.scheme == "https" else 80)


def _identity(answer: BaseHTTPResponse, now: datetime) -> CallerIdentity:
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise not_understood()
    body = _read(answer)
    _require_same_time(answer.headers.get("Date"), now)
    if answer.status in (400, 403):
        raise IdentityRefusedError(
            "AWS does not vouch for this proof: its signature, token or time is not what it takes.",
            hint="Sign anew with credentials that are valid now, for the name that this gateway is called by.",
        )
    if answer.status >= 500 or answer.status == 429:
        raise IdentityUnavailableError("AWS STS does not answer.", retry_after=2)
    if answer.status != 200:
        raise not_understood()
    return read_identity(answer.headers.get("Content-Type", ""), body)


def _read(answer: BaseHTTPResponse) -> bytes:
    """Little of it, within the time: a host that sends a byte now and then would hold a thread for ever."""
    deadline = time.monotonic() + SECONDS
    body = b""
    while chunk := answer.read1(MOST_BYTES):
        body += chunk
        if len(body) > MOST_BYTES or time.monotonic() > deadline:
            raise not_understood()
    return body


def _require_same_time(date: str | None, now: datetime) -> None:
    """Where the gateway's own clock is wrong, its windows of time mean nothing."""
    try:
        theirs = parsedate_to_datetime(date or "")
    except ValueError:
        return
    off = abs(now - theirs.replace(tzinfo=theirs.tzinfo or UTC))
    if off > _WARN:
        _log.error("the gateway's clock differs from that of AWS", seconds=round(off.total_seconds()))
    if off > WINDOW:
        raise IdentityUnavailableError("The clock of the gateway is wrong, so it cannot check logins.")
