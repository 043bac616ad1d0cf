"""Every client of the gateway's says how long it waits, how often it tries and how many connections it keeps.

What libraries do by themselves is minutes of waiting, and another release's to change.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.storage.location import S3Options
from infra.storage.s3 import open_client

ROOT = Path(__file__).parents[2]
# The demo has a double of AWS on this machine, and waits for it by itself.
_FILES = sorted(
    path for part in ("app", "infra", "tenancy") for path in (ROOT / part).rglob("*.py") if "demo" not in path.parts
)
_NEEDED = {
    "Config": {"connect_timeout", "read_timeout", "retries", "max_pool_connections"},
    "PoolManager": {"timeout", "retries", "maxsize"},
    "client": {"config"},
}


def _calls(text: str) -> Iterator[tuple[str, set[str | None]]]:
    """Calls that make a client or say its limits, with the names of their arguments."""
    tree = ast.parse(text)
    is_botocore = "from botocore.config import Config" in text
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        is_ours = (
            name == "PoolManager" or (name == "client" and "import boto3" in text) or (name == "Config" and is_botocore)
        )
        if is_ours:
            yield name, {keyword.arg for keyword in node.keywords}


def _missing(text: str) -> list[str]:
    # `Config(**config)` is merged over what is said in full.
    calls = [(name, given) for name, given in _calls(text) if given != {None}]
    return [f"{name} without {', '.join(sorted(left))}" for name, given in calls if (left := _NEEDED[name] - given)]


def test_every_client_says_its_limits() -> None:
    found = {str(path.relative_to(ROOT)): list(_calls(path.read_text())) for path in _FILES}
    assert {name.split("/")[1] for name, calls in found.items() if calls} == {
        "executors",
        "identity",
        "secrets",
        "storage",
    }
    assert {path: wrong for path in found if (wrong := _missing((ROOT / path).read_text()))} == {}


@pytest.mark.parametrize(
    "text",
    [
        "import boto3\nboto3.Session().client('s3')",
        "from botocore.config import Config\nConfig(connect_timeout=2, read_timeout=2, retries={})",
        "urllib3.PoolManager(retries=False)",
    ],
    ids=["client", "config", "pool"],
)
def test_one_that_does_not_is_noticed(text: str) -> None:
    assert _missing(text)


def test_what_is_changed_for_one_client_leaves_the_rest() -> None:
    options = S3Options("us-east-1", "http://127.0.0.1:1", "key", "secret")
    config = open_client(options, retries={"mode": "standard", "total_max_attempts": 1}).meta.config
    assert (config.connect_timeout, config.read_timeout, config.max_pool_connections) == (2, 10, 32)
    assert config.retries["total_max_attempts"] == 1
