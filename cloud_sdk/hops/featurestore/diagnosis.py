"""What lies between this code and the gateway, looked at part by part: each with what was found and what mends it."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Callable, Dict, List, NoReturn, Optional, Tuple

from hops import __version__
from hops.featurestore.credentials.aws import Aws
from hops.featurestore.credentials.found import FoundKey, Gateway
from hops.featurestore.destinations import Destination, Wanted, resolve
from hops.featurestore.diagnosis_s3 import StoreLook
from hops.featurestore.errors import ConnectionFailedError, FeatureStoreError
from hops.featurestore.hints import connection_hint
from hops.featurestore.identity import confirm_identity
from hops.featurestore.retries import RetryPolicy
from hops.featurestore.skipped import SkippedCheck
from hops.featurestore.spark import find_session
from hops.featurestore.tls import tls_context
from hops.featurestore.transport import Transport

OK, FAILED, SKIPPED = "ok", "failed", "skipped"
TIMEOUT = 10.0
_MOST_SKEW = 300  # seconds; AWS refuses signatures beyond it


@dataclass(frozen=True)
class Check:
    name: str
    state: str
    found: str
    fix: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """Prints as a table; `ok` unless a check failed."""

    checks: Tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.state != FAILED for check in self.checks)

    def to_dict(self) -> Dict[str, Any]:
        return {"ok": self.ok, "checks": [asdict(check) for check in self.checks]}

    def __repr__(self) -> str:
        width = max(len(check.name) for check in self.checks)
        lines = []
        for check in self.checks:
            lines.append(f"{check.state:8}{check.name.ljust(width)}  {check.found}")
            if check.fix:
                lines += [" " * (width + 10) + "fix: " + line for line in check.fix.splitlines()[:1]]
                lines += [" " * (width + 15) + line for line in check.fix.splitlines()[1:]]
        return "\n".join(lines)


@dataclass
class Patient:
    """What the checks so far have found, for those after them."""

    wanted: Wanted
    hostname_verification: bool = True
    destination: Optional[Destination] = None
    reached: bool = False
    found_key: Optional[FoundKey] = None
    answer: Tuple[Mapping[str, str], float] = field(default_factory=lambda: ({}, 0.0))
    is_known: bool = False
    store: Optional[StoreLook] = None

    @property
    def place(self) -> Destination:
        if self.destination is None:
            raise SkippedCheck("it is not known where the gateway is")
        return self.destination

    def tls_for_address(self) -> Optional[ssl.SSLContext]:
        """None for plain http."""
        return self.tls() if self.place.address.scheme == "https" else None

    def tls(self) -> ssl.SSLContext:
        verified = self.hostname_verification
        return tls_context(hostname_verification=verified, trust_store_path=self.place.trust_store_path)

    def transport(self) -> Transport:
        """With the key; whoever asks for it closes it."""
        if self.found_key is None:
            raise SkippedCheck("there is no key to ask with")
        if not self.reached:
            raise SkippedCheck("the gateway is not reached")
        tls, once = self.tls_for_address(), RetryPolicy(attempts=1)
        return Transport(self.place.address, self.found_key.key, tls=tls, timeout=TIMEOUT, retries=once)

    def get(self, path: str) -> Tuple[int, Mapping[str, str], bytes]:
        """Without the key."""
        if not self.reached:
            raise SkippedCheck("the gateway is not reached")
        address = self.place.address
        connection: http.client.HTTPConnection
        if address.scheme == "https":
            connection = http.client.HTTPSConnection(address.host, address.port, timeout=TIMEOUT, context=self.tls())
        else:
            connection = http.client.HTTPConnection(address.host, address.port, timeout=TIMEOUT)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, dict(answer.headers), answer.read()
        except (OSError, http.client.HTTPException) as error:
            _unreachable(error)
        finally:
            connection.close()


Look = Callable[[Patient], str]
_CHECKS: List[Tuple[str, Look]] = []


def register(name: str, look: Look) -> None:
    """`look` answers what it found, raises FeatureStoreError with the fix as its hint, or SkippedCheck with the reason."""
    _CHECKS[:] = [each for each in _CHECKS if each[0] != name] + [(name, look)]


def diagnose(wanted: Wanted, *, hostname_verification: bool = True) -> Diagnosis:
    patient = Patient(wanted, hostname_verification)
    return Diagnosis(tuple(_checked(name, look, patient) for name, look in _CHECKS))


def _checked(name: str, look: Look, patient: Patient) -> Check:
    try:
        return Check(name, OK, look(patient))
    except SkippedCheck as reason:
        return Check(name, SKIPPED, str(reason))
    except FeatureStoreError as error:
        return Check(name, FAILED, error.detail, error.hint or "")


def _unreachable(error: Exception) -> NoReturn:
    raise ConnectionFailedError(f"{type(error).__name__}: {error}", hint=connection_hint(str(error))) from None


def _settings(patient: Patient) -> str:
    patient.destination = resolve(patient.wanted)
    origins = ", ".join(patient.destination.origins)
    return f"project {patient.place.project} at {patient.place.address}" + (f" ({origins})" if origins else "")


def _name(patient: Patient) -> str:
    host = patient.place.address.host
    try:
        found = sorted({str(each[4][0]) for each in socket.getaddrinfo(host, None)})
    except OSError as error:
        _unreachable(error)
    return f"{host} is {', '.join(found)}"


def _network(patient: Patient) -> str:
    address, started = patient.place.address, time.monotonic()
    try:
        socket.create_connection((address.host, address.port), timeout=TIMEOUT).close()
    except OSError as error:
        _unreachable(error)
    patient.reached = address.scheme == "http"
    return f"port {address.port} answers in {1000 * (time.monotonic() - started):.0f} ms"


def _tls(patient: Patient) -> str:
    address = patient.place.address
    if address.scheme == "http":
        raise SkippedCheck("plain http to this machine")
    try:
        plain = socket.create_connection((address.host, address.port), timeout=TIMEOUT)
        with plain, patient.tls().wrap_socket(plain, server_hostname=address.host) as secure:
            version, until = secure.version(), (secure.getpeercert() or {}).get("notAfter", "unverified")
    except OSError as error:
        _unreachable(error)
    patient.reached = True
    return f"{version}, certificate until {until}"


def _gateway(patient: Patient) -> str:
    status, headers, body = patient.get("/readyz")
    patient.answer = (headers, time.time())
    if status != 200:
        said = body[:200].decode(errors="replace")
        raise ConnectionFailedError(f"/readyz answers {status}: {said}", hint="Its operator runs `oast doctor` there.")
    status, _, body = patient.get("/api/v1/openapi.json")
    try:
        version = json.loads(body)["info"]["version"] if status == 200 else None
    except (ValueError, KeyError, TypeError):
        version = None
    if version is None:
        raise ConnectionFailedError(
            "What answers there has no API of version 1.",
            hint="Check host and port; is it a proxy, or another service?",
        )
    return f"ready, version {version}, with SDK {__version__} over API v1"


def _clock(patient: Patient) -> str:
    headers, seen = patient.answer
    date = next((value for name, value in headers.items() if name.lower() == "date"), None)
    if date is None:
        raise SkippedCheck("the gateway says no time")
    skew = seen - parsedate_to_datetime(date).timestamp()
    if abs(skew) > _MOST_SKEW:
        raise FeatureStoreError(
            f"this machine is {skew:+.0f} s off the gateway's clock",
            hint="Let NTP set the clock: AWS refuses what is signed so.",
        )
    return f"{skew:+.0f} s from the gateway's"


def _role(patient: Patient) -> str:
    store = patient.wanted.store
    if store in ("local", "databricks"):
        raise SkippedCheck(f"a key of secrets_store={store!r} belongs to no role")
    region = patient.wanted.region_name
    try:
        role = Aws(None if region == "default" else region).role()
    except FeatureStoreError as error:
        if store is None:
            raise SkippedCheck(error.detail) from None
        raise
    return f"{role.name} in account {role.account}"


def _secret(patient: Patient) -> str:
    gateway = Gateway(patient.place.address, patient.tls_for_address(), TIMEOUT, RetryPolicy(attempts=1))
    patient.found_key = patient.place.find_key(gateway)
    if not patient.found_key.is_stored:
        return patient.found_key.described
    return f"a key from {patient.found_key.store}: {patient.found_key.name}"


def _key(patient: Patient) -> str:
    transport = patient.transport()
    assert patient.found_key is not None, "there is no transport without"
    try:
        identity = confirm_identity(transport, patient.place.project, patient.found_key)
    finally:
        transport.close()
    patient.is_known = True
    return f"{identity.member} is {identity.role} in {identity.project}, until {identity.expires_at or 'revoked'}"


def _s3(patient: Patient) -> str:
    if not patient.is_known:
        raise SkippedCheck("the gateway does not take the key")
    transport = patient.transport()
    try:
        patient.store = StoreLook(transport, patient.place.project)
        return patient.store.read()
    finally:
        transport.close()


def _prefix(patient: Patient) -> str:
    if patient.store is None:
        raise SkippedCheck("there is no credential to try outside of its prefix: S3 was not looked at")
    return patient.store.prove()


def _spark(_patient: Patient) -> str:
    session = find_session()
    if session is None:
        raise SkippedCheck("no Spark session; frames are pandas")
    return f"Spark {session.version}"


for _named, _look in (
    ("settings", _settings), ("name", _name), ("network", _network), ("tls", _tls), ("gateway", _gateway),
    ("clock", _clock), ("role", _role), ("secret", _secret), ("key", _key), ("s3", _s3), ("prefix", _prefix),
    ("spark", _spark),
):  # fmt: skip
    register(_named, _look)
