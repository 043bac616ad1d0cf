from collections.abc import Callable
from functools import cache

import pytest

from tests.terraform.applied import VALUES, Applied, apply


@pytest.fixture(scope="session")
def applied_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Applied]:
    """Tests come in random order, and an example takes seconds."""
    return cache(lambda example: apply(example, tmp_path_factory.mktemp(example)))


@pytest.fixture(params=list(VALUES))
def applied(request: pytest.FixtureRequest, applied_once: Callable[[str], Applied]) -> Applied:
    return applied_once(request.param)


@pytest.fixture
def production(applied_once: Callable[[str], Applied]) -> Applied:
    return applied_once("production")
