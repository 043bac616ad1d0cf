"""Runs in processes of their own, under `oast serve`: what kills them, and what is there afterwards."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest
import urllib3

from tests.frames import arrow_bytes, frame_headers, read_arrow
from tests.served import Served, served

PROJECT = "/api/v1/projects/football"
PATIENCE = 60


class Football:
    """A served gateway with one feature group."""

    def __init__(self, gateway: Served, rows: int) -> None:
        self.gateway = gateway
        self.key = gateway.oast("key", "create", "football", "--member", "ada")["key"]
        table = pa.table({"id": pa.array(range(rows), pa.int64()), "value": pa.array(range(rows), pa.float64())})
        body = arrow_bytes(table, {"name": "numbers"})
        made = self.send("POST", "/feature-groups", body=body, headers=frame_headers(body, rows))
        assert made["name"] == "numbers"

    def send(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"ApiKey {self.key}", **options.pop("headers", {})}
        answer = urllib3.request(
            method, f"{self.gateway.address}{PROJECT}{path}", headers=headers, retries=False, timeout=30, **options
        )
        assert answer.status < 300, answer.data
        return answer.json() if answer.data else None

    def rows(self, path: str) -> pa.Table:
        headers = {"Authorization": f"ApiKey {self.key}"}
        answer = urllib3.request("GET", f"{self.gateway.address}{PROJECT}{path}", headers=headers, timeout=60)
        assert answer.status == 200, answer.data
        return read_arrow(answer.data)

    def start(self, name: str = "copy") -> str:
        arguments = {"name": name, "query": {"features": ["id", "value"]}, "data_format": "csv"}
        self.send("PUT", f"/jobs/{name}", json={"kind": "training_dataset", "arguments": arguments})
        return str(self.send("POST", f"/jobs/{name}/runs", json={})["id"])

    def wait_until(self, run_id: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while not holds(run := self.send("GET", f"/runs/{run_id}")):
            assert time.monotonic() < deadline, (run, self.gateway.log.read_text()[-3000:])
            time.sleep(0.05)
        return dict(run)

    def wait(self, run_id: str) -> dict[str, Any]:
        return self.wait_until(run_id, lambda run: run["state"] not in ("queued", "running"))

    def wait_until_idle(self) -> None:
        """Nothing waits and nothing runs."""
        deadline = time.monotonic() + 2 * PATIENCE
        while any(self.send("GET", f"/runs?state={state}")["items"] for state in ("queued", "running")):
            assert time.monotonic() < deadline, self.gateway.log.read_text()[-3000:]
            time.sleep(0.2)

    def worker(self) -> psutil.Process:
        """The process that `oast serve` brings along."""
        assert self.gateway.process is not None
        deadline = time.monotonic() + PATIENCE
        while True:
            for child in psutil.Process(self.gateway.process.pid).children():
                if "app.cli" in child.cmdline():
                    return child
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture(scope="module")
def football(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Football]:
    with served(tmp_path_factory.mktemp("jobs")) as gateway:
        yield Football(gateway, 300_000)


def test_the_server_brings_a_worker_along(football: Football) -> None:
    run = football.wait(football.start("plain"))
    assert (run["state"], run["result"]["rows"], run["attempt"]) == ("succeeded", 300_000, 1)


def test_a_run_under_way_is_cancelled(football: Football) -> None:
    run_id = football.start("cancelled")
    football.wait_until(run_id, lambda run: run["state"] == "running")
    football.send("POST", f"/runs/{run_id}/cancel")
    run = football.wait(run_id)
    # It may have been quicker than the cancellation; then all of it is there.
    names = [dataset["name"] for dataset in football.send("GET", "/training-datasets")["items"]]
    assert run["state"] == ("succeeded" if "cancelled" in names else "cancelled")


def test_a_killed_process_of_a_run_is_tried_again(football: Football) -> None:
    run_id = football.start("killed")
    football.wait_until(run_id, lambda run: run["state"] == "running")
    for process in football.worker().children(recursive=True):
        if process.is_running() and os.getpgid(process.pid) == process.pid:
            process.send_signal(signal.SIGKILL)
    run = football.wait(run_id)
    assert (run["state"], run["result"]["rows"]) == ("succeeded", 300_000)


@pytest.mark.timeout(180)
def test_a_killed_worker_is_started_again_and_its_run_taken_up(football: Football) -> None:
    run_id = football.start("orphaned")
    football.wait_until(run_id, lambda run: run["state"] == "running")
    worker = football.worker()
    runs = worker.children(recursive=True)
    worker.send_signal(signal.SIGKILL)
    run = football.wait(run_id)
    assert (run["state"], run["result"]["rows"]) == ("succeeded", 300_000)
    assert football.worker().pid != worker.pid
    _, alive = psutil.wait_procs(runs, 10)
    assert not alive, "a run outlived its worker"


def test_a_server_that_stops_gives_its_runs_back(tmp_path: Path) -> None:
    with served(tmp_path) as gateway:
        football = Football(gateway, 300_000)
        worker = football.worker()
        run_id = football.start()
        gateway.signal(signal.SIGTERM)
        worker.wait(20)
        gateway.start()
        run = football.wait(run_id)
        assert (run["state"], run["result"]["rows"]) == ("succeeded", 300_000)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_its_server(tmp_path: Path, number: signal.Signals) -> None:
    """Where the server's process alone is signalled: when it has ended in good order, so has the worker."""
    with served(tmp_path) as gateway:
        worker = Football(gateway, 10).worker()
        assert gateway.process is not None
        gateway.process.send_signal(number)
        gateway.process.wait(40)
        worker.wait(10 if number == signal.SIGKILL else 0.1)
        assert not worker.is_running()
