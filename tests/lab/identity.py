"""An STS that answers GetCallerIdentity and verifies Signature Version 4 as AWS does, with botocore; moto looks at no signature.

It knows the sessions that a test opened. What the gateway sent is kept in `asked`; `twist` lets a test answer as an enemy would.
"""

import hmac
import secrets
import string
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ACCOUNT = "123456789012"
ANSWER = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult><Arn>{arn}</Arn><UserId>{user_id}</UserId><Account>{account}</Account></GetCallerIdentityResult>
  <ResponseMetadata><RequestId>01234567-89ab-cdef-0123-456789abcdef</RequestId></ResponseMetadata>
</GetCallerIdentityResponse>"""
_REFUSED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>{code}</Code>
<Message>no</Message></Error></ErrorResponse>"""
# What AWS allows for a signed request.
_AGE = timedelta(minutes=15)
Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Caller:
    """Credentials that this STS gave out, and whose they are."""

    arn: str
    user_id: str
    account: str
    credentials: Credentials


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class IdentitySts:
    callers: dict[str, Caller] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    twist: Callable[[Answer], Answer] = lambda answer: answer
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    drip: float = 0.0
    """Seconds before each byte of an answer."""
    endpoint_url: str = ""

    def role(
        self,
        name: str = "Notebooks",
        *,
        session: str = "ada",
        account: str = ACCOUNT,
        partition: str = "aws",
        unique_id: str | None = None,
    ) -> Caller:
        """A new session of a role; the role's unique id follows from account and name unless said."""
        unique_id = unique_id or unique_id_of(name, account)
        return self.caller(
            f"arn:{partition}:sts::{account}:assumed-role/{name}/{session}", f"{unique_id}:{session}", account
        )

    def caller(self, arn: str, user_id: str, account: str = ACCOUNT, *, token: bool = True) -> Caller:
        key_id = "ASIA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))
        credentials = Credentials(key_id, secrets.token_urlsafe(30), secrets.token_urlsafe(600) if token else None)
        self.callers[key_id] = made = Caller(arn, user_id, account, credentials)
        return made

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        caller = self._verified(asked)
        if isinstance(caller, str):
            return 403, {"Content-Type": "text/xml"}, _REFUSED.format(code=caller).encode()
        text = ANSWER.format(arn=escape(caller.arn), user_id=escape(caller.user_id), account=caller.account)
        return 200, {"Content-Type": "text/xml"}, text.encode()

    def _verified(self, asked: Asked) -> Caller | str:
        """Who signed it, or the code of AWS's refusal."""
        parts = dict(part.partition("=")[::2] for part in asked.headers["authorization"].partition(" ")[2].split(", "))
        key_id, day, region, service, _ = parts["Credential"].split("/")
        caller = self.callers.get(key_id)
        if caller is None or asked.headers.get("x-amz-security-token") != caller.credentials.token:
            return "InvalidClientTokenId"
        signed = datetime.strptime(asked.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        host = asked.headers["host"]
        if abs(signed - self.now()) > _AGE or (day, service) != (f"{signed:%Y%m%d}", "sts"):
            return "SignatureDoesNotMatch"
        if host not in (f"sts.{region}.amazonaws.com", f"sts.{region}.amazonaws.com.cn"):
            return "SignatureDoesNotMatch"
        if not hmac.compare_digest(_signature(asked, parts["SignedHeaders"], caller, region), parts["Signature"]):
            return "SignatureDoesNotMatch"
        if dict(parse_qsl(asked.body.decode())) != {"Action": "GetCallerIdentity", "Version": "2011-06-15"}:
            return "InvalidAction"
        return caller


def unique_id_of(name: str, account: str = ACCOUNT) -> str:
    return "AROA" + hmac.new(b"unique", f"{account}/{name}".encode(), "sha256").hexdigest()[:17].upper()


def _signature(asked: Asked, signed: str, caller: Caller, region: str) -> str:
    headers = {name: asked.headers[name] for name in signed.split(";")}
    request = AWSRequest(asked.method, f"https://{asked.headers['host']}{asked.path}", headers=headers, data=asked.body)
    request.context["timestamp"] = asked.headers["x-amz-date"]
    signer = SigV4Auth(caller.credentials, "sts", region)
    return str(signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request))


@contextmanager
def running_identity_sts() -> Iterator[IdentitySts]:
    sts = IdentitySts()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._send(*sts.twist(sts.answer(Asked("POST", self.path, _lower(self.headers.items()), body))))

        def do_GET(self) -> None:
            sts.asked.append(Asked("GET", self.path, _lower(self.headers.items()), b""))
            self._send(405, {}, b"")

        def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in {"Date": format_datetime(sts.now(), usegmt=True), **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            # Whoever asked may have heard enough.
            with suppress(OSError):
                self.end_headers()
                for part in [body] if not sts.drip else (body[at : at + 1] for at in range(len(body))):
                    time.sleep(sts.drip)
                    self.wfile.write(part)

        def log_message(self, *_arguments: object) -> None:
            """The tests read `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    # A caller that has heard enough is no error; one that got no answer says so itself.
    server.handle_error = lambda *_: None  # type: ignore[method-assign,assignment]
    sts.endpoint_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield sts
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def _lower(headers: list[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}
