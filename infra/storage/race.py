"""Tries whether of many who create one object at once exactly one is let.

Delta commits on S3 rest on that and on nothing else. A store that ignores the condition, or looks first and writes
afterwards, loses commits without an error.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from botocore.exceptions import ClientError

from infra.errors import StorageUnavailableError

ROUNDS: Final = 3
RACERS: Final = 6
_REFUSED: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_START_SECONDS: Final = 10.0


def find_race(client: Any, bucket: str, key: str, *, all_at_once: bool, **put: str) -> str | None:
    """What went wrong, in words; None where all was well. `client` must not retry, `put` goes with every object.

    Without `all_at_once` two come, one after the other. Raises what the client raises of anything but a refusal.
    """
    rounds = [(f"{key}-{number}", RACERS) for number in range(ROUNDS)] if all_at_once else []
    for name, racers in [(key, 1), *rounds]:
        try:
            fault = _fault(client, {"Bucket": bucket, "Key": name, **put}, racers)
        finally:
            client.delete_object(Bucket=bucket, Key=name)
        if fault is not None:
            return fault
    return None


def _fault(client: Any, target: dict[str, str], racers: int) -> str | None:
    line = threading.Barrier(racers, timeout=_START_SECONDS)

    def run(number: int) -> bool:
        line.wait()
        return _created(client, target, number)

    try:
        with ThreadPoolExecutor(racers) as pool:
            winners = [number for number, won in enumerate(pool.map(run, range(racers))) if won]
    except threading.BrokenBarrierError:
        raise StorageUnavailableError("This machine is too busy to let writers race.", retry_after=5) from None
    if len(winners) != 1:
        return f"of {racers} writers at once {len(winners)} created the same object"
    if _created(client, target, racers):
        return "a second create of one object was let"
    held = client.get_object(Bucket=target["Bucket"], Key=target["Key"])["Body"].read()
    return None if held == _body(winners[0]) else "the object is not that of the writer who was let"


def _created(client: Any, target: dict[str, str], number: int) -> bool:
    try:
        client.put_object(**target, Body=_body(number), IfNoneMatch="*")
    except ClientError as error:
        if code_of(error) in _REFUSED:
            return False
        raise
    return True


def _body(number: int) -> bytes:
    return f"writer {number}".encode()


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
