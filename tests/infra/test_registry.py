"""Names that lead to implementations, and what is said of those that do not."""

import pytest

from infra.errors import InvalidInputError
from infra.registry import Registry


@pytest.mark.parametrize(
    ("group", "said"),
    [("job_kinds", "job kind"), ("secret_stores", "secret store"), ("executors", "executor"), ("plain", "plain")],
)
def test_what_is_not_there_is_called_what_people_call_it(group: str, said: str) -> None:
    registry: Registry[int] = Registry(f"oasthouse.{group}", {"one": 1, "two": 2})
    with pytest.raises(InvalidInputError) as refusal:
        registry.load("three")
    assert refusal.value.detail == f"This gateway knows no {said} 'three'."
    assert refusal.value.candidates == ("one", "two")
    assert f"'oasthouse.{group}'" in (refusal.value.hint or "")
    assert registry.load("two") == 2
