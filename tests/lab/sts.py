"""An STS that asks for the ExternalId, which neither moto's nor SeaweedFS's does."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

_GRANTED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>{AccessKeyId}</AccessKeyId><SecretAccessKey>{SecretAccessKey}</SecretAccessKey>
<SessionToken>{SessionToken}</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>
</AssumeRoleResponse>"""
_REFUSED = "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"


class Sts:
    """`trust` has the ExternalId that each role asks for, None for one that asks for none; `of_role` credentials of its own."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self.credentials = {"SessionToken": "", **credentials}
        self.trust: dict[str, str | None] = {}
        self.of_role: dict[str, Mapping[str, str]] = {}
        self.failure: str | None = None
        self.asked: list[dict[str, str]] = []
        self.endpoint_url = ""

    def answer(self, form: Mapping[str, str]) -> tuple[int, str]:
        self.asked.append(dict(form))
        role = form["RoleArn"]
        if self.failure is not None:
            return 400, _REFUSED.format(code=self.failure)
        if role not in self.trust or self.trust[role] not in (None, form.get("ExternalId")):
            return 403, _REFUSED.format(code="AccessDenied")
        credentials = self.of_role.get(role, self.credentials)
        return 200, _GRANTED.format_map({name: escape(value) for name, value in credentials.items()})


@contextmanager
def running_sts(credentials: Mapping[str, str]) -> Iterator[Sts]:
    sts = Sts(credentials)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, text = sts.answer({name: values[0] for name, values in parse_qs(body).items()})
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_arguments: object) -> None:
            """The tests read `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    sts.endpoint_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield sts
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
