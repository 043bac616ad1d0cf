"""Credentials that several ask for at once: one minting for all of them, be it one that fails."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from infra.clock import SystemClock
from infra.crypto import SecretValue
from infra.ports.vending import Credential, VendingUnavailableError
from infra.storage.minted import Minted

THREADS = 12


class Sts:
    """Answers when it is let; `asked` counts."""

    def __init__(self, *, fails: bool) -> None:
        self.asked = 0
        self.fails = fails
        self.gate = threading.Event()

    def mint(self) -> Credential:
        self.asked += 1
        assert self.gate.wait(30)
        if self.fails:
            raise VendingUnavailableError("AWS is silent.", hint="Wait.", retry_after=5)
        secret = SecretValue(f"number {self.asked}")
        ends = SystemClock().now() + timedelta(minutes=15)
        return Credential(("s3://b/t/",), None, None, secret, secret, secret, ends)


def _at_once(work: Callable[[], object]) -> list[object]:
    """What each of the threads got, or was refused with."""
    found: list[object] = []

    def run() -> None:
        try:
            found.append(work())
        except VendingUnavailableError as error:
            found.append(error)

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


@pytest.mark.parametrize("fails", [True, False])
def test_many_at_once_wait_for_one_minting_or_two(*, fails: bool) -> None:
    """Two, because who comes while one is under way is answered by the next: the first question was not theirs."""
    sts, minted = Sts(fails=fails), Minted(SystemClock())
    opener = threading.Timer(0.5, sts.gate.set)
    opener.start()
    found = _at_once(lambda: minted.get("one", sts.mint))
    assert len(found) == THREADS
    assert sts.asked <= 2
    if fails:
        assert {(str(each), each.hint, each.retry_after) for each in found} == {("AWS is silent.", "Wait.", 5)}  # type: ignore[attr-defined]
        assert len(set(map(id, found))) > THREADS // 2, "an error that several threads raise tells of all their places"
    else:
        assert len(set(map(id, found))) == 1


def test_after_a_failure_it_is_tried_again() -> None:
    sts, minted = Sts(fails=True), Minted(SystemClock())
    sts.gate.set()
    for asked in (1, 2):
        with pytest.raises(VendingUnavailableError):
            minted.get("one", sts.mint)
        assert sts.asked == asked
    sts.fails = False
    assert minted.get("one", sts.mint) == minted.get("one", sts.mint)
    assert sts.asked == 3
