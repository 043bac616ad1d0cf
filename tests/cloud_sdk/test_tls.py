"""Who may answer as the gateway."""

import datetime as dt
import ipaddress
import ssl
import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hops.featurestore import errors
from hops.featurestore.tls import ALLOW_UNVERIFIED, UnverifiedTlsWarning, tls_context
from tests.cloud_sdk.gateway import Gateway, serving

BY_ADDRESS = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
BY_NAME = [x509.DNSName("localhost")]
OTHER = [x509.DNSName("other.example.com"), x509.IPAddress(ipaddress.ip_address("127.0.0.2"))]


def self_signed(folder, names):
    """(a PEM file to trust, the wrapper of a socket that presents it)"""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_file = folder / "gateway.pem", folder / "gateway.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key_file)
    return str(pem), lambda socket: context.wrap_socket(socket, server_side=True, do_handshake_on_connect=False)


@pytest.fixture
def sdk_tls(tmp_path):
    """Starts an HTTPS gateway with a certificate for these names; gives (gateway, port, PEM file)."""
    started = []

    def start(names):
        pem, wrap = self_signed(tmp_path, names)
        gateway = Gateway()
        server = serving(gateway, wrap)
        started.append(server)
        return gateway, server.__enter__(), pem

    yield start
    for server in started:
        server.__exit__(None, None, None)


def once(waits):
    return waits.policy(attempts=1)


@pytest.mark.parametrize(("names", "host"), [(BY_ADDRESS, "127.0.0.1"), (BY_NAME, "localhost")])
def test_a_trusted_certificate(sdk_tls, sdk_open, names, host):
    gateway, port, pem = sdk_tls(names)
    assert sdk_open(host, port=port, trust_store_path=pem).host == host
    assert "unverified" not in gateway.last().headers["User-Agent"]


def test_an_untrusted_certificate_is_refused_and_the_key_not_sent(sdk_tls, sdk_open, sdk_waits):
    gateway, port, _ = sdk_tls(BY_ADDRESS)
    with pytest.raises(errors.ConnectionFailedError, match="trust_store_path"):
        sdk_open("127.0.0.1", port=port, retries=once(sdk_waits))
    assert gateway.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_certificate_of_another_host_is_refused(sdk_tls, sdk_open, sdk_waits, host):
    gateway, port, pem = sdk_tls(OTHER)
    with pytest.raises(errors.ConnectionFailedError):
        sdk_open(host, port=port, trust_store_path=pem, retries=once(sdk_waits))
    assert gateway.asked == []


@pytest.mark.parametrize("value", [None, "0", "true"])
def test_the_argument_alone_switches_nothing_off(sdk_tls, sdk_open, sdk_waits, monkeypatch, value):
    if value is not None:
        monkeypatch.setenv(ALLOW_UNVERIFIED, value)
    gateway, port, _ = sdk_tls(BY_ADDRESS)
    with pytest.warns(UnverifiedTlsWarning, match="is ignored"), pytest.raises(errors.ConnectionFailedError):
        sdk_open("127.0.0.1", port=port, hostname_verification=False, retries=once(sdk_waits))
    assert gateway.asked == []


def test_the_variable_alone_switches_nothing_off(sdk_tls, sdk_open, sdk_waits, monkeypatch):
    monkeypatch.setenv(ALLOW_UNVERIFIED, "1")
    _, port, _ = sdk_tls(BY_ADDRESS)
    with pytest.raises(errors.ConnectionFailedError):
        sdk_open("127.0.0.1", port=port, retries=once(sdk_waits))


def test_both_together_do_and_the_gateway_learns_of_it(sdk_tls, sdk_open, monkeypatch):
    monkeypatch.setenv(ALLOW_UNVERIFIED, "1")
    gateway, port, _ = sdk_tls(OTHER)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sdk_open("127.0.0.1", port=port, hostname_verification=False)
    assert any(issubclass(each.category, UnverifiedTlsWarning) for each in caught)
    assert "(tls-unverified)" in gateway.last().headers["User-Agent"]


def test_with_a_trust_store_the_chain_is_checked_even_then(sdk_tls, sdk_open, sdk_waits, monkeypatch, tmp_path):
    monkeypatch.setenv(ALLOW_UNVERIFIED, "1")
    _, port, pem = sdk_tls(OTHER)
    (tmp_path / "else").mkdir()
    wrong, _ = self_signed(tmp_path / "else", OTHER)
    with pytest.warns(UnverifiedTlsWarning):
        sdk_open("127.0.0.1", port=port, hostname_verification=False, trust_store_path=pem)
    with pytest.warns(UnverifiedTlsWarning), pytest.raises(errors.ConnectionFailedError):
        sdk_open("127.0.0.1", port=port, hostname_verification=False, trust_store_path=wrong, retries=once(sdk_waits))


@pytest.mark.parametrize("content", [None, "not a PEM file"])
def test_an_unusable_trust_store(tmp_path, content):
    path = tmp_path / "trust.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(errors.InvalidInputError, match=r"trust\.pem"):
        tls_context(trust_store_path=str(path))


def test_old_tls_is_refused():
    assert tls_context().minimum_version == ssl.TLSVersion.TLSv1_2


def test_plain_http_on_a_tls_port_and_the_other_way_round(sdk_open, sdk_url, sdk_waits):
    port = int(sdk_url.rpartition(":")[2])
    with pytest.raises(errors.ConnectionFailedError, match="does not speak TLS"):
        sdk_open("127.0.0.1", port=port, retries=once(sdk_waits))
