"""Downloads parts: resumed where they break off, with fresh addresses where the old ones expired."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Optional, Set, Tuple

from hops.featurestore.errors import AnswerCutError, FeatureStoreError
from hops.featurestore.manifests import Manifest
from hops.featurestore.part_addresses import Addresses
from hops.featurestore.part_files import PartFile
from hops.featurestore.part_places import Failure, Places
from hops.featurestore.progress import Progress
from hops.featurestore.retries import RetryPolicy
from hops.featurestore.transport import Transport

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

log = logging.getLogger("hops")

_AT_ONCE = 1024 * 1024  # bytes
# Only a connection that brought so much since the last break is given all its attempts again.
_WORTH_MORE_ATTEMPTS = 1024 * 1024


class StoreUnusableError(FeatureStoreError):
    """No byte came from where the parts are said to be. The rows can still be had as a stream."""

    code = "store-unusable"


class PartDownloads:
    """The parts of one manifest. Safe to use from several threads."""

    def __init__(self, transport: Transport, manifest: Manifest, progress: Progress) -> None:
        self.retries = transport.retries
        self.places = Places(transport)
        self.addresses = Addresses(transport, manifest)
        self.progress = progress
        self.closed = threading.Event()
        self._files: Set[PartFile] = set()
        self._counting = threading.Lock()

    def fetch(self, number: int) -> PartFile:
        """All bytes of a part. Raises what the gateway refuses with, AnswerCutError, and of the first part StoreUnusableError."""
        file = self._begin_file(self.addresses.manifest.parts[number].bytes)
        try:
            _Download(self, number, file).complete()
        except BaseException:
            self.forget(file)
            raise
        return file

    def forget(self, file: PartFile) -> None:
        """Its rows were read, or nobody wants them."""
        file.close()
        with self._counting:
            self._files.discard(file)

    def close(self) -> None:
        """Gives all files back now. Downloads that still run end with the bytes that they are waiting for."""
        with self._counting:
            self.closed.set()
            for file in self._files:
                file.close()
            self._files.clear()
        self.places.close()

    def _begin_file(self, capacity: int) -> PartFile:
        with self._counting:
            if self.closed.is_set():
                raise FeatureStoreError("The download was closed.")
            file = PartFile(capacity)
            self._files.add(file)
            return file


class _Download:
    """One part on its way into a file."""

    def __init__(self, downloads: PartDownloads, number: int, file: PartFile) -> None:
        self.file = file
        self._downloads = downloads
        self._number = number
        self._attempts = _Attempts(downloads.retries)
        self._etag: Optional[str] = None
        # Fresh addresses that brought no byte either are no better than the next ones would be.
        self._renewed_at: Optional[int] = None

    def complete(self) -> None:
        while not self.file.is_complete:
            url, issue = self._downloads.addresses.of(self._number)
            answer, failure = self._downloads.places.open(url, self.file.size, self._etag)
            if answer is not None:
                failure = self._receive(answer)
            if failure is not None:
                self._recover(failure, issue, may_stream=self._may_stream(url) and not failure.wrong)

    def _may_stream(self, url: str) -> bool:
        """Whether nothing is lost by giving the store up: it is the first part, and not even another one got through."""
        downloads = self._downloads
        return self._number == 0 and downloads.places.is_store(url) and not downloads.addresses.has_delivered

    def _receive(self, answer: BaseHTTPResponse) -> Optional[Failure]:
        """Everything the answer holds; None if the part is complete then."""
        try:
            failure = self._position(answer) or self._take(answer)
        except BaseException:
            answer.close()
            raise
        if failure is None:
            answer.release_conn()
        else:
            answer.close()
        return failure

    def _take(self, answer: BaseHTTPResponse) -> Optional[Failure]:
        failure = None
        while failure is None:
            data, failure = _read(answer)
            if data:
                failure = self._keep(data)
            elif failure is None:
                return None if self.file.is_complete else _broken("it ended early")
        return failure

    def _position(self, answer: BaseHTTPResponse) -> Optional[Failure]:
        """Whoever ignores the range begins anew, and so do we."""
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            return Failure(
                AnswerCutError("A part came in another encoding than it is stored in; is a proxy in between?")
            )
        etag = answer.headers.get("ETag")
        if answer.status == 206:
            begins = answer.headers.get("Content-Range", "").startswith(f"bytes {self.file.size}-")
            is_the_same = self._etag in {None, etag}
            return None if begins and is_the_same else _wrong("Another range or file came than was asked for.")
        self._downloads.progress.add(bytes_=-self.file.size)
        self.file.restart()
        # A weak one never matches.
        self._etag = etag if etag and etag.startswith('"') else None
        return None

    def _keep(self, data: bytes) -> Optional[Failure]:
        if not self.file.append(data):
            return _wrong("A part is longer than the gateway said; no rows are returned.")
        self._downloads.addresses.has_delivered = True
        self._downloads.progress.add(bytes_=len(data))
        return None

    def _recover(self, failure: Failure, issue: int, *, may_stream: bool) -> None:
        """Return once another attempt makes sense; raise where none does."""
        if failure.stale and self._renewed_at != self.file.size:
            self._renewed_at = self.file.size
            self._downloads.addresses.renew(issue)
            return
        wait = None
        if failure.retry and not (may_stream and failure.unreached):
            wait = self._attempts.wait_before_next(self.file.size)
        if wait is None:
            # Outside any `except`, and in words of its own: the addresses in urllib3's errors are as good as keys.
            raise StoreUnusableError(failure.error.detail) if may_stream else failure.error
        log.warning("%s Trying again in %.1f s.", failure.error.detail, wait)
        self._downloads.retries.sleep(wait)


class _Attempts:
    """Counts them for one part, anew whenever the last one was worth it."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._begin(0)

    def wait_before_next(self, arrived: int) -> Optional[float]:
        """Seconds, or None to give up; `arrived` bytes of the part are there."""
        if arrived - self._arrived >= _WORTH_MORE_ATTEMPTS:
            self._begin(arrived)
        self._count += 1
        return self._policy.wait_before(self._count, None, self._started)

    def _begin(self, arrived: int) -> None:
        self._count, self._arrived, self._started = 1, arrived, self._policy.clock()


def _read(answer: BaseHTTPResponse) -> Tuple[bytes, Optional[Failure]]:
    import urllib3

    try:
        return answer.read(_AT_ONCE, decode_content=False), None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        return b"", _broken(type(error).__name__)


def _broken(why: str) -> Failure:
    return Failure(AnswerCutError(f"A part did not arrive completely ({why}); no rows are returned."), retry=True)


def _wrong(why: str) -> Failure:
    return Failure(AnswerCutError(why), wrong=True)
