"""What a person is told to look at, by what the network really says."""

import socket

import pytest

from hops.featurestore.errors import ConnectionFailedError
from hops.featurestore.hints import connection_hint


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired", "renew it"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate is not yet valid", "clock"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] Hostname mismatch, certificate is not valid for 'a'", "another name"),
        ("hostname 'a' doesn't match 'b' CertificateError", "another name"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate", "trust_store_path"),
        ("[SSL: WRONG_VERSION_NUMBER]", "does not speak TLS"),
        ("[Errno -2] Name or service not known", "Route 53"),
        ("Connection to 10.0.0.1 timed out. (connect timeout=10.0)", "security group"),
        ("[Errno 111] Connection refused", "nothing listens"),
        ("[Errno 113] No route to host", "routes"),
        ("[Errno 101] Network is unreachable", "peering"),
        ("something else", "Check host and port"),
    ],
)
def test_each_failure_has_its_next_step(said, hint):
    assert hint in connection_hint(said)


def test_a_name_that_nobody_knows(sdk_open, sdk_waits):
    with pytest.raises(ConnectionFailedError, match="knows no such name"):
        sdk_open("no-such-host.invalid", retries=sdk_waits.policy(attempts=1))


def test_a_port_where_nothing_listens(sdk_open, sdk_waits):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ConnectionFailedError, match="nothing listens"):
        sdk_open("127.0.0.1", port=port, retries=sdk_waits.policy(attempts=1))


def test_a_network_that_drops_everything(sdk_open, sdk_waits):
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ConnectionFailedError, match="security group"):
        sdk_open(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.3, retries=sdk_waits.policy(attempts=1))
