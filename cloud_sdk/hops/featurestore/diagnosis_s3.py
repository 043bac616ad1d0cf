"""Whether S3 can be read from here past the gateway, and whether a credential for one table reaches nothing else."""

from __future__ import annotations

import socket
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Callable, Iterator, List, Optional, Tuple
from urllib.parse import urlsplit

from hops.featurestore.direct_files import open_store, take_credentials
from hops.featurestore.download import ARROW_STREAM
from hops.featurestore.errors import ConnectionFailedError, FeatureStoreError, GatewayError
from hops.featurestore.manifests import PARTS, Manifest, is_manifest
from hops.featurestore.metadata import FeatureGroup
from hops.featurestore.part_places import Places
from hops.featurestore.session import url_path
from hops.featurestore.skipped import SkippedCheck
from hops.featurestore.table_credentials import TableCredentials
from hops.featurestore.transport import API, Request, Transport, read_json

_SECONDS = 10.0
_LISTED = 50
_TRIED = 3  # groups; a doctor is no load test
_PIECE = 1024  # bytes
_REFUSED = ("ACCESS_DENIED", "Access Denied", "[code 15]")
_ABSENT = ("NO_SUCH_KEY", "RESOURCE_NOT_FOUND", "Path does not exist", "Not found")
_LOG = "_delta_log"

_NETWORK = (
    "Rows come through the gateway meanwhile. For S3 itself this VPC needs a gateway endpoint for S3 in its route table, or NAT; "
    "policies of that endpoint and of the bucket have to let the bucket through. No proxy is asked for these reads."
)
_NO_LIMIT = (
    "Do not go on: its operator turns credentials off with `oast project vending {project} off --as …`, "
    "and runs `oast doctor`."
)


@dataclass
class _Taken:
    """A credential in use. `root` is the table's folder, with the bucket and without scheme."""

    group: str
    made: TableCredentials
    store: Any

    @property
    def root(self) -> str:
        return self.made.uri[len("s3://") :].rstrip("/")

    @property
    def above(self) -> str:
        return self.root.rpartition("/")[0]


class StoreLook:
    """One look at S3 with one key. `read` comes first; `prove` uses what it was given."""

    def __init__(self, transport: Transport, project: str) -> None:
        self._transport = transport
        self._project = project
        self._taken: Optional[_Taken] = None
        self._other: Optional[str] = None
        self._why = "S3 was not read"

    def read(self) -> str:
        """With a credential, else at an address that the gateway signs. Raises SkippedCheck where there is neither."""
        groups = self._groups()
        made = self._credentials(groups)
        if made is None:
            return self._fetch(groups)
        group, credentials = made
        self._why = f"S3 is not reached with the credential for {group}"
        host, port = _endpoint(credentials)
        _reach(host, port)
        taken = _Taken(group, credentials, open_store(credentials, seconds=_SECONDS))
        started = time.monotonic()
        path, size = _read_piece(taken)
        self._taken = taken
        took = 1000 * (time.monotonic() - started)
        return f"reads {size} bytes of s3://{path} at {host} in {took:.0f} ms, with a credential for {group}"

    def prove(self) -> str:
        """What a credential must not be able to do is tried. Raises SkippedCheck where there is none."""
        taken = self._taken
        if taken is None:
            raise SkippedCheck(f"there is no credential to try outside of its prefix: {self._why}")
        done = [(name, _outcome(attempt)) for name, attempt in self._attempts(taken)]
        worked = [name for name, was_refused in done if not was_refused]
        if worked:
            raise FeatureStoreError(
                f"A credential for {taken.group} is not held to it: it {', '.join(worked)}.",
                hint=_NO_LIMIT.format(project=self._project),
            )
        return f"{len(done)} of {len(done)} attempts outside of {taken.made.uri} are refused"

    def _groups(self) -> List[FeatureGroup]:
        """The first of the project's own that have a table."""
        path = url_path("projects", self._project, "feature-groups")
        try:
            listed = self._transport.json(Request("GET", path, query={"limit": _LISTED}))["items"]
        except GatewayError as error:
            self._why = f"this key lists no feature groups ({error.detail})"
            raise SkippedCheck(self._why) from None
        groups = [group for group in map(FeatureGroup.from_json, listed) if group.kind == "CACHED"]
        if not groups:
            self._why = f"{self._project} has no feature group with a table"
            raise SkippedCheck(self._why)
        return groups[:_TRIED]

    def _credentials(self, groups: List[FeatureGroup]) -> Optional[Tuple[str, TableCredentials]]:
        """Of the first group that there are any for; another one's is a neighbour to knock at."""
        found: Optional[Tuple[str, TableCredentials]] = None
        for group in groups:
            try:
                made = take_credentials(self._transport, API + self._path(group, "credentials"))
            except GatewayError as error:
                self._why = f"the gateway gives this key no credential ({error.detail})"
                continue
            if found is None:
                found = (group.versioned_name, made)
            elif made.bucket == found[1].bucket and made.uri != found[1].uri:
                self._other = made.uri[len("s3://") :].rstrip("/")
                break
        return found

    def _fetch(self, groups: List[FeatureGroup]) -> str:
        places = Places(self._transport)
        try:
            for group in groups:
                url = self._address(group)
                if url is not None and places.is_store(url):
                    return _fetched(places, url, group.versioned_name)
                if url is not None:
                    self._why += "; the gateway hands files out itself"
                    raise SkippedCheck(self._why)
        finally:
            places.close()
        raise SkippedCheck(f"{self._why}; and no group that was looked at is so large that it comes in files")

    def _address(self, group: FeatureGroup) -> Optional[str]:
        """Of one file of the group; None where rows are sent, of which none is read."""
        headers = {"Accept": f"{PARTS}, {ARROW_STREAM}"}
        request = Request("GET", self._path(group, "rows"), query={"compression": "none"}, headers=headers)
        try:
            answer = self._transport.open(request)
        except GatewayError as error:
            self._why = f"this key reads no rows ({error.detail})"
            return None
        if not is_manifest(answer):
            answer.close()
            return None
        parts = Manifest.from_json(read_json(answer)).parts
        return parts[0].url if parts else None

    def _path(self, group: FeatureGroup, what: str) -> str:
        return url_path("projects", self._project, "feature-groups", group.name, "versions", group.version, what)

    def _attempts(self, taken: _Taken) -> Iterator[Tuple[str, Callable[[], Any]]]:
        store, mark = taken.store, f"oast-doctor-{uuid.uuid4().hex}"
        beside = f"{self._other}/{_LOG}/{0:020}.json" if self._other else f"{taken.root}2/{mark}"
        yield "reads beside it", lambda: _read(store, beside)
        yield "reads above it", lambda: _read(store, f"{taken.above}/{mark}")
        yield "lists above it", lambda: _list(store, taken.above)
        yield "lists the bucket", lambda: _list(store, taken.made.bucket)
        yield "writes into it", lambda: _write(store, f"{taken.root}/{mark}")
        yield "writes beside it", lambda: _write(store, f"{taken.root}2/{mark}")


def _endpoint(made: TableCredentials) -> Tuple[str, int]:
    if made.endpoint_url is not None:
        parts = urlsplit(made.endpoint_url)
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    region = made.region or "us-east-1"
    return f"s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}", 443


def _reach(host: str, port: int) -> None:
    try:
        socket.create_connection((host, port), timeout=_SECONDS).close()
    except OSError as error:
        raise ConnectionFailedError(f"{host} port {port} is not reached: {error}", hint=_NETWORK) from None


def _read_piece(taken: _Taken) -> Tuple[str, int]:
    """Of the smallest file of the table's log, which every table has."""
    from pyarrow.fs import FileSelector, FileType

    try:
        listed = taken.store.get_file_info(FileSelector(f"{taken.root}/{_LOG}"))
        files = [each for each in listed if each.type == FileType.File and each.size]
        if not files:
            raise FeatureStoreError(f"The folder of {taken.group} has no log.", hint="Its operator runs `oast fsck`.")
        path = min(files, key=lambda each: each.size).path
        return path, len(_read(taken.store, path))
    except OSError as error:
        raise ConnectionFailedError(f"S3 is not read: {_brief(error)}", hint=_NETWORK) from None


def _read(store: Any, path: str) -> bytes:
    with store.open_input_file(path) as file:
        return bytes(file.read(_PIECE))


def _list(store: Any, path: str) -> Any:
    from pyarrow.fs import FileSelector

    return store.get_file_info(FileSelector(path))


def _write(store: Any, path: str) -> None:
    """What must be refused. Where it is not, nothing is left of it that the same credential can take away."""
    with store.open_output_stream(path) as file:
        file.write(b"oast doctor")
    with suppress(OSError):  # refused or not, the write was let
        store.delete_file(path)


def _outcome(attempt: Callable[[], Any]) -> bool:
    """Whether it was refused. What neither worked nor was refused proves nothing, and is raised."""
    try:
        attempt()
    except OSError as error:
        said = str(error)
        if any(sign in said for sign in _REFUSED):
            return True
        if isinstance(error, FileNotFoundError) or any(sign in said for sign in _ABSENT):
            return False
        raise ConnectionFailedError(f"S3 does not say whether it refuses: {_brief(error)}", hint=_NETWORK) from None
    return False


def _fetched(places: Places, url: str, group: str) -> str:
    host, started = urlsplit(url).netloc, time.monotonic()
    answer, failure = places.open(url, 0, None)
    if failure is not None or answer is None:
        detail = "nothing came" if failure is None else failure.error.detail
        raise ConnectionFailedError(f"A file of {group} is not fetched: {detail}", hint=_NETWORK)
    try:
        size = len(answer.read(_PIECE))
    finally:
        answer.close()
    took = 1000 * (time.monotonic() - started)
    return f"fetches {size} bytes of {group} from {host} in {took:.0f} ms, at an address that the gateway signed"


def _brief(error: Exception) -> str:
    return str(error)[:300]
