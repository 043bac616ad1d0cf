"""A workspace of Databricks, as far as the routes of runs go, on a loopback port."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "dapi0123456789abcdef"
JOB = 42


@dataclass
class Workspace:
    """`runs` by id; `faults` are statuses that the next requests are answered with."""

    address: str = ""
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    faults: list[int] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def end(self, run_id: int, result: str = "SUCCESS", message: str = "") -> None:
        self.runs[run_id]["state"] = {
            "life_cycle_state": "TERMINATED",
            "result_state": result,
            "state_message": message,
        }

    def answer(self, method: str, path: str, token: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.calls.append(path.rpartition("/")[2])
        if self.faults:
            return self.faults.pop(0), {"error_code": "SOME_FAULT", "message": f"with {token}"}
        if token not in self.tokens:
            return 403, {"error_code": "PERMISSION_DENIED", "message": f"Invalid access token {token}"}
        act = {
            ("POST", "/api/2.1/jobs/run-now"): self._run_now,
            ("GET", "/api/2.1/jobs/runs/get"): self._get,
            ("POST", "/api/2.1/jobs/runs/cancel"): self._cancel,
        }.get((method, path))
        return act(asked) if act else (404, {"error_code": "ENDPOINT_NOT_FOUND", "message": path})

    def _run_now(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if asked["job_id"] != JOB:
            return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": f"Job {asked['job_id']} does not exist."}
        for run_id, run in self.runs.items():
            if run["idempotency_token"] == asked["idempotency_token"]:
                return 200, {"run_id": run_id}
        run_id = 900_719_925_474_000 + len(self.runs)
        self.runs[run_id] = {**asked, "state": {"life_cycle_state": "RUNNING", "state_message": "In run"}}
        return 200, {"run_id": run_id, "number_in_job": run_id}

    def _get(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        run = self.runs.get(int(asked["run_id"]))
        if run is None:
            return 400, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"Run {asked['run_id']} does not exist."}
        return 200, {"state": run["state"], "run_page_url": f"{self.address}/run/{asked['run_id']}"}

    def _cancel(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        run = self.runs.get(int(asked["run_id"]))
        if run is None:
            return 400, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"Run {asked['run_id']} does not exist."}
        if run["state"]["life_cycle_state"] == "TERMINATED":
            return 400, {"error_code": "INVALID_STATE", "message": "The run has terminated."}
        self.end(int(asked["run_id"]), "CANCELED", "Run cancelled.")
        return 200, {}


@contextmanager
def running_workspace() -> Iterator[Workspace]:
    workspace = Workspace()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer({name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()})

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, asked: dict[str, Any]) -> None:
            token = self.headers["Authorization"].removeprefix("Bearer ")
            status, answer = workspace.answer(self.command, urlsplit(self.path).path, token, asked)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if status == 429:
                self.send_header("Retry-After", "1")
            if status == 302:
                self.send_header("Location", f"{workspace.address}/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Tests say themselves what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    workspace.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield workspace
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
