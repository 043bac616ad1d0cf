"""Fixtures for the SDK alone; names start with `sdk_` so that they meet none of the gateway's own."""

import pytest

from hops.featurestore import default
from hops.featurestore.connection import open_connection
from hops.featurestore.retries import RetryPolicy
from tests.cloud_sdk.gateway import KEY, Gateway, serving


@pytest.fixture
def sdk_gateway():
    return Gateway()


@pytest.fixture
def sdk_url(sdk_gateway):
    with serving(sdk_gateway) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def sdk_key_file(tmp_path):
    path = tmp_path / "api.key"
    path.write_text(KEY + "\nsecond line\n")
    path.chmod(0o600)
    return path


class Waits(list):
    """The seconds that retries would have waited; time stands still but for them."""

    def policy(self, **changes) -> RetryPolicy:
        return RetryPolicy(sleep=self.append, clock=lambda: float(sum(self)), draw=lambda _low, high: high, **changes)


@pytest.fixture
def sdk_waits():
    return Waits()


@pytest.fixture
def sdk_open(sdk_key_file, sdk_waits):
    """Opens connections as a user would, with retries that do not wait, and closes them."""
    opened = []

    def open_(host, project="football", **changes):
        settings = {"secrets_store": "local", "api_key_file": str(sdk_key_file), "quiet": True, "timeout": 10.0}
        connection = open_connection(host, project, **{"retries": sdk_waits.policy(), **settings, **changes})
        opened.append(connection)
        return connection

    yield open_
    for connection in opened:
        connection.close()


@pytest.fixture
def sdk_connection(sdk_url, sdk_open):
    return sdk_open(sdk_url)


@pytest.fixture
def fs(sdk_connection):
    """The module, connected."""
    import hops.featurestore as fs

    default.use_connection(sdk_connection)
    yield fs
    default.forget_connection()
