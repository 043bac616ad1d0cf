"""Proves on the store itself that a credential for one place reaches nothing else.

There are stores that take a session policy and ignore it: a credential for one table would then read every table.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from infra.errors import GatewayError
from infra.ports.vending import STAGES, STAGING_PREFIX, Credential, Level, ProbeCheck, VendingUnavailableError
from infra.storage.bucket_errors import plain_code
from infra.storage.location import S3Options, Warehouse
from infra.storage.s3 import ABSENT, NO_RETRIES, S3ObjectStore, open_client

_REFUSALS: Final = frozenset({"403", "AccessDenied", "AccessDeniedException", "Forbidden"})

MintFor = Callable[[Sequence[str], Level], Credential]
"""A credential for these locations and nothing else; of no locations, for nothing."""
# The role may put objects into such places alone, where its operator is careful.
_STAGED: Final = f"{STAGING_PREFIX}probe"


@dataclass(frozen=True)
class _Attempt:
    name: str
    call: Callable[[], Any]
    must_work: bool = False
    counts: bool = True


def run_probe(warehouse: Warehouse, mint: MintFor) -> list[ProbeCheck]:
    """Raises VendingUnavailableError where the store or STS cannot be asked."""
    store, root = S3ObjectStore(warehouse), f".probe/vending-{uuid4().hex}"
    try:
        for path in ("t/inside", "t2/beside", "T/beside", "above", f"{_STAGED}/inside"):
            with store.open_output(f"{root}/{path}") as file:
                file.write(path.encode())
        return _judgements(_Attempts(warehouse, root).all(mint))
    except (GatewayError, BotoCoreError) as error:
        raise VendingUnavailableError(f"Credentials could not be tried: {_told(error)}", retry_after=60) from None
    finally:
        with suppress(GatewayError):
            store.delete_prefix(root)


def _judgements(attempts: Iterator[_Attempt]) -> list[ProbeCheck]:
    checks: list[ProbeCheck] = []
    for each in attempts:
        try:
            checks.append(_judged(each))
        except VendingUnavailableError:
            # What was found before it stands: one thing that must not work is enough.
            if all(check.passed or not check.counts for check in checks):
                raise
            break
    return checks


class _Attempts:
    def __init__(self, warehouse: Warehouse, root: str) -> None:
        assert warehouse.s3 is not None, "only S3 has credentials"
        self._options = warehouse.s3
        self._bucket = warehouse.bucket
        self._root = root
        self._key = "/".join(filter(None, (warehouse.prefix, root)))

    def all(self, mint: MintFor) -> Iterator[_Attempt]:
        inside, nothing = (self._client(mint(places, Level.READ)) for places in ([f"{self._root}/t"], []))
        yield _Attempt("reads inside", self._read(inside, "t/inside"), must_work=True)
        yield _Attempt("lists inside", self._list(inside, "t/"), must_work=True)
        yield _Attempt("reads nothing beside", self._read(inside, "t2/beside"))
        yield _Attempt("reads nothing above", self._read(inside, "above"))
        yield _Attempt("lists nothing above", self._list(inside, ""))
        yield _Attempt("lists nothing that only begins alike", self._list(inside, "t"))
        yield _Attempt("lists nothing of the bucket", lambda: inside.list_objects_v2(Bucket=self._bucket, MaxKeys=1))
        yield _Attempt("writes nothing inside", self._write(inside, "t/new"))
        yield _Attempt("writes nothing beside", self._write(inside, "t2/new"))
        yield _Attempt("allowed nothing, reads nothing", self._read(nothing, "t/inside"))
        yield _Attempt("allowed nothing, lists nothing", self._list(nothing, "t/"))
        yield _Attempt("deletes nothing inside", self._delete(inside, "t/inside"))
        # No two tables differ in this alone: their names in the bucket are the gateway's, and lower case.
        yield from self._of_staging(self._client(mint([f"{self._root}/{_STAGED}"], Level.STAGE)))
        yield _Attempt("tells capitals apart", self._read(inside, "T/beside"), counts=False)

    def _of_staging(self, staging: Any) -> Iterator[_Attempt]:
        yield _Attempt("staging reads nothing inside", self._read(staging, f"{_STAGED}/inside"))
        yield _Attempt("staging lists nothing inside", self._list(staging, f"{_STAGED}/"))
        yield _Attempt("staging deletes nothing inside", self._delete(staging, f"{_STAGED}/inside"))
        yield _Attempt("staging reads nothing beside", self._read(staging, "t/inside"))
        yield _Attempt("staging writes nothing beside", self._write(staging, f"{_STAGED}2/new"))
        yield _Attempt("staging writes nothing above", self._write(staging, "new"))
        yield _Attempt(STAGES, self._write(staging, f"{_STAGED}/new"), must_work=True, counts=False)

    def _client(self, credential: Credential) -> Any:
        keys = S3Options(
            access_key_id=credential.access_key_id.reveal(),
            secret_access_key=credential.secret_access_key.reveal(),
            session_token=credential.session_token.reveal(),
            region=credential.region,
            endpoint_url=self._options.endpoint_url,
        )
        return open_client(keys, **NO_RETRIES)

    def _read(self, client: Any, path: str) -> Callable[[], Any]:
        return lambda: client.get_object(Bucket=self._bucket, Key=f"{self._key}/{path}")

    def _list(self, client: Any, prefix: str) -> Callable[[], Any]:
        return lambda: client.list_objects_v2(Bucket=self._bucket, Prefix=f"{self._key}/{prefix}", MaxKeys=1)

    def _write(self, client: Any, path: str) -> Callable[[], Any]:
        return lambda: client.put_object(Bucket=self._bucket, Key=f"{self._key}/{path}", Body=b"probe")

    def _delete(self, client: Any, path: str) -> Callable[[], Any]:
        return lambda: client.delete_object(Bucket=self._bucket, Key=f"{self._key}/{path}")


def _judged(attempt: _Attempt) -> ProbeCheck:
    try:
        attempt.call()
    except ClientError as error:
        code = plain_code(error)
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if attempt.must_work and (status >= 500 or code == "SlowDown"):
            # What is kept for a day is what it says, and not that it was busy.
            raise VendingUnavailableError(f"{attempt.name}: the store answered {code or status}.") from None
        if attempt.must_work:
            return ProbeCheck(attempt.name, passed=False, detail=f"refused: {code}", counts=attempt.counts)
        if code in _REFUSALS:
            return ProbeCheck(attempt.name, passed=True, detail="refused", counts=attempt.counts)
        if code not in ABSENT:
            # Neither worked nor was refused: nothing is proven by that.
            raise VendingUnavailableError(f"{attempt.name}: the store answered {code or 'no code'}.") from None
    passed = attempt.must_work
    return ProbeCheck(attempt.name, passed=passed, detail="it did" if passed else "it worked", counts=attempt.counts)


def _told(error: Exception) -> str:
    return error.detail if isinstance(error, GatewayError) else type(error).__name__
