"""Several processes count attempts together where there is a Valkey, and serve on where it is gone."""

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tenancy.api_keys.token import mint
from tenancy.attempts import WINDOW_SECONDS
from tests.lab.valkey import running_valkey
from tests.served import Served, served

WORKERS, MOST = 3, 4


def asked(gateway: Served, key: str) -> int:
    request = Request(f"{gateway.address}/api/v1/me", headers={"Authorization": f"ApiKey {key}"})
    try:
        with urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def guesses(gateway: Served, count: int) -> list[int]:
    return [asked(gateway, mint("live").text().reveal()) for _ in range(count)]


def _seconds(most: int) -> Iterator[int]:
    for second in range(most):
        yield second
        time.sleep(1)


def test_workers_stop_an_address_together(tmp_path: Path) -> None:
    with running_valkey() as valkey:
        settings = {"OAST_SERVER__WORKERS": str(WORKERS), "OAST_LIMITS__FAILURES": str(MOST)}
        with served(tmp_path, **settings, OAST_LIMITS__URL=valkey.url) as gateway:
            key = gateway.oast("key", "create", "football", "--member", "ada", "--name", "notebook")["key"]
            assert asked(gateway, key) == 200
            began = time.monotonic()
            found = guesses(gateway, 40)
            windows = 1 + (time.monotonic() - began) // WINDOW_SECONDS
            # Each of the others learns of it with the first one that it refuses itself.
            together = MOST + WORKERS - 1
            # A machine that lets the Valkey be silent for a quarter of a second has each process count for itself meanwhile.
            apart = WORKERS * MOST if "attempts are counted by each process" in gateway.log.read_text() else 0
            assert MOST <= found.count(401) <= windows * (together + apart)
            assert found.count(401) + found.count(429) == 40
            valkey.stop()
            # A worker that never saw the key lets it in when the window is over; one that did, at once.
            assert any(asked(gateway, key) == 200 for _ in _seconds(3 * WINDOW_SECONDS))
            assert set(guesses(gateway, 5)) <= {401, 429}
            log = gateway.log.read_text()
    assert "an address tries too often" in log
    assert valkey.url not in log
