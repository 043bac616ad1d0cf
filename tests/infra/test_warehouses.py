"""Keys of roles: asked for once where many wait, renewed in time, and a refusal is everybody's for a moment."""

import threading
import time

import pytest

from infra.crypto import SecretValue
from infra.errors import InvalidInputError, StorageUnavailableError
from infra.ports.files import BucketAccessRefusedError, BucketKeys, BucketRole
from infra.ports.warehouses import RegisteredWarehouse
from infra.storage import warehouses as module
from infra.storage.location import S3Options, Warehouse
from infra.storage.warehouses import Warehouses

OWN = Warehouse("s3://own/wh", S3Options("us-east-1", None, "own key", "own secret"))
ROLE = BucketRole("arn:aws:iam::123456789012:role/x", "external", "session")
THEIRS = RegisteredWarehouse("1", "p", "s3://theirs/a", role=ROLE)


class _Roles:
    def __init__(self) -> None:
        self.asked = 0
        self.refuses = False

    def keys(self, role: BucketRole) -> BucketKeys:
        assert role == ROLE
        time.sleep(0.05)
        self.asked += 1
        if self.refuses:
            raise BucketAccessRefusedError("The gateway may not assume the role.", hint="Mend it.")
        return BucketKeys(SecretValue(f"key {self.asked}"), SecretValue("secret"), SecretValue("token"))


class _Time:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)


def test_many_who_wait_ask_once_and_keys_are_used_for_half_their_life(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, roles = _Time(monkeypatch), _Roles()
    warehouses = Warehouses(OWN, lambda: [THEIRS], roles)
    threads = [threading.Thread(target=warehouses.reach, args=(THEIRS,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert roles.asked == 1
    clock.now += 1799
    assert _key(warehouses) == "key 1"
    clock.now += 2
    assert _key(warehouses) == "key 2"


def test_a_refusal_is_asked_again_after_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, roles = _Time(monkeypatch), _Roles()
    warehouses, roles.refuses = Warehouses(OWN, lambda: [THEIRS], roles), True
    for _ in range(3):
        with pytest.raises(StorageUnavailableError, match="may not assume") as refusal:
            warehouses.reach(THEIRS)
        assert refusal.value.hint == "Mend it."
    assert roles.asked == 1
    roles.refuses = False
    clock.now += 6
    assert _key(warehouses) == "key 2"


def test_a_role_gone_keeps_nobody_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    roles = _Roles()
    roles.refuses = True
    warehouses = Warehouses(OWN, lambda: [THEIRS], roles)
    assert warehouses.reach_path("p/t") == (OWN, "p/t")
    assert warehouses.uri(THEIRS.path("t")) == "s3://theirs/a/p/t", "where it lies takes no role"
    assert roles.asked == 0


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://own/wh/p/t/x", None),
        ("s3://theirs/a/p/t/x", THEIRS),
        ("s3://theirs/a/p/t/city=New York/x", THEIRS),
        ("s3://theirs/a/other/t/x", InvalidInputError),
        ("s3://theirs/ab/p/t/x", InvalidInputError),
        ("s3://theirs/a/p/../q/x", InvalidInputError),
        ("s3://theirs/a/p//x", InvalidInputError),
        ("s3://own/wh/../x", InvalidInputError),
        ("s3://own/wh2/x", InvalidInputError),
        ("/etc/passwd", InvalidInputError),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whose_a_file_is(uri: str, expected: object) -> None:
    warehouses = Warehouses(OWN, lambda: [THEIRS], _Roles())
    if expected is InvalidInputError:
        with pytest.raises(InvalidInputError, match="outside the warehouse"):
            warehouses.holding(uri)
    else:
        assert warehouses.holding(uri) == expected


def test_without_a_role_the_gateway_comes_as_itself() -> None:
    bare = RegisteredWarehouse("2", "p", "s3://beside/b", region="eu-west-1", kms_key="key")
    reached = Warehouses(OWN, lambda: [bare]).reach(bare).s3
    assert reached == S3Options("eu-west-1", None, "own key", "own secret", kms_key="key")


def test_one_that_another_process_registered_is_found_at_once() -> None:
    known: list[RegisteredWarehouse] = []
    warehouses = Warehouses(OWN, lambda: known, _Roles())
    with pytest.raises(StorageUnavailableError, match="not registered"):
        warehouses.find(THEIRS.path("t"))
    known.append(THEIRS)
    assert warehouses.find(THEIRS.path("t")) == (THEIRS, "p/t")


def _key(warehouses: Warehouses) -> str | None:
    options = warehouses.reach(THEIRS).s3
    assert options is not None
    return options.access_key_id
