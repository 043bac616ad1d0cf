"""kill -9 of everything at thirty moments: each dataset is whole or absent, and what was acknowledged is there."""

import random
import signal
import threading
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import urllib3

from app.bootstrap import build_container
from app.featurestore.connectors.hopsfs import folder_of
from app.fsck import check_consistency
from app.settings import Settings
from tests.contract.test_jobs import PROJECT, Football
from tests.frames import arrow_bytes, frame_headers
from tests.served import served

SEEDS, KILLS = (20, 21, 22), 10
ROWS, AT_ONCE = 40_000, 500


class Busy:
    """Starts one of everything that writes, and remembers what it was told."""

    def __init__(self, football: Football) -> None:
        self._football = football
        self.inserted: list[int] = []
        self.runs: list[str] = []
        self.imports: list[str] = []
        self.datasets: list[str] = []

    def all_at_once(self, number: int) -> list[threading.Thread]:
        works = (self._insert, self._start, self._create, self._import)
        threads = [threading.Thread(target=work, args=(number,)) for work in works]
        for thread in threads:
            thread.start()
        return threads

    def wait_for_a_run(self) -> None:
        """However slow the machine is, there is something to be taken up again."""
        for _ in range(1200):
            if self.runs:
                return
            time.sleep(0.05)
        pytest.fail("no run was ever acknowledged")

    def _insert(self, number: int) -> None:
        first = 1_000_000 + number * AT_ONCE
        ids = list(range(first, first + AT_ONCE))
        body = arrow_bytes(pa.table({"id": ids, "value": [1.0] * AT_ONCE}))
        headers = frame_headers(body, AT_ONCE)
        if self._send("POST", "/feature-groups/numbers/versions/1/rows", body=body, headers=headers) is not None:
            self.inserted += ids

    def _start(self, number: int) -> None:
        name = f"run_{number}"
        arguments = {"name": name, "query": {"features": ["id", "value"]}, "data_format": "csv"}
        job = {"kind": "training_dataset", "arguments": arguments}
        if self._send("PUT", f"/jobs/{name}", json=job) is None:
            return
        run = self._send("POST", f"/jobs/{name}/runs", json={})
        if run is not None:
            self.runs.append(run["id"])

    def _import(self, number: int) -> None:
        """Appends to the same group again and again: a row too many or too few would show."""
        name = f"import_{number}"
        arguments = {"connector": "landing", "path": "rows.parquet", "feature_group": "landed", "mode": "append"}
        if self._send("PUT", f"/jobs/{name}", json={"kind": "import_files", "arguments": arguments}) is None:
            return
        run = self._send("POST", f"/jobs/{name}/runs", json={})
        if run is not None:
            self.imports.append(run["id"])

    def _create(self, number: int) -> None:
        name = f"made_{number}"
        if self._send("POST", "/training-datasets", json={"name": name, "query": {"features": ["id"]}}) is not None:
            self.datasets.append(name)

    def _send(self, method: str, path: str, **options: Any) -> Any:
        """The answer; None where there was none, or a refusal."""
        headers = {
            "Authorization": f"ApiKey {self._football.key}",
            **({"Idempotency-Key": uuid4().hex} if method == "POST" else {}),
            **options.pop("headers", {}),
        }
        address = self._football.gateway.address + PROJECT + path
        try:
            answer = urllib3.request(method, address, headers=headers, retries=False, timeout=20, **options)
        except urllib3.exceptions.HTTPError:
            return None
        return answer.json() if answer.status < 300 else None


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_acknowledged_is_there_after_ten_kills(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = random.Random(seed)
    with served(tmp_path, OAST_STATISTICS__AFTER_COMMITS="true", OAST_LOG_LEVEL="error") as gateway:
        monkeypatch.setenv("OAST_DATA_DIR", gateway.environment["OAST_DATA_DIR"])
        container = build_container(Settings())  # to look at what is there, which as a command takes seconds each time
        football = Football(gateway, ROWS)
        _land(football)
        busy = Busy(football)
        for number in range(KILLS):
            threads = busy.all_at_once(number)
            if number == 0:
                busy.wait_for_a_run()
            time.sleep(moments.uniform(0.05, 1.5))
            gateway.signal(signal.SIGKILL)
            for thread in threads:
                thread.join()
            assert [finding for finding in check_consistency(container).findings if finding.is_fault] == []
            gateway.start()
        _everything_is_there(football, busy)
        assert gateway.oast("fsck", "--deep")["feature_groups"] == 2


def _land(football: Football) -> None:
    """A file in a folder of the project, for imports."""
    landing = {"name": "landing", "kind": "HOPSFS", "options": {"dataset_name": "landing"}}
    football.send("POST", "/connectors", json=landing)
    warehouse = Path(football.gateway.environment["OAST_DATA_DIR"]) / "warehouse"
    (project,) = (folder.name for folder in warehouse.iterdir() if not folder.name.startswith("."))
    path = warehouse / folder_of(UUID(project), "landing") / "rows.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"landed": range(ROWS)}), path)


def _everything_is_there(football: Football, busy: Busy) -> None:
    for run_id in busy.runs:
        run = football.wait(run_id)
        assert run["state"] == "succeeded", (run["error"], run["attempt"], run["max_attempts"])
        dataset = football.send("GET", f"/training-datasets/{run['job']}/versions/1")
        assert dataset["rows"] >= ROWS
    for name in busy.datasets:
        assert football.send("GET", f"/training-datasets/{name}/versions/1")["rows"] >= ROWS
    rows = football.rows("/feature-groups/numbers/versions/1/rows")
    ids = rows["id"].to_pylist()
    assert len(set(ids)) == len(ids)
    assert set(busy.inserted) <= set(ids)
    football.wait_until_idle()
    imported = [football.send("GET", f"/runs/{run}") for run in busy.imports]
    assert [run["error"] for run in imported if run["state"] != "succeeded"] == []
    # Each counts once, those too whose acknowledgement was lost on its way.
    succeeded = football.send("GET", "/runs?kind=import_files&state=succeeded&limit=500")["items"]
    assert football.rows("/feature-groups/landed/versions/1/rows").num_rows == len(succeeded) * ROWS
    statistics = football.send("GET", "/feature-groups/numbers/versions/1/statistics")
    assert statistics["rows"] == len(ids)
