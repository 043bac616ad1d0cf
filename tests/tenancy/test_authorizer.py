"""What the authorizer adds to the policy: how a refusal is told, and that nothing else gets in its way."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from infra.crypto import Pepper
from infra.database.unit_of_work import DatabaseUnavailableError
from infra.errors import ConflictError, GatewayError
from tenancy.access import KeyNotValidError, ScopeMissingError
from tenancy.actions import Action
from tenancy.api_keys.authentication import Authenticator
from tenancy.principals import RequestContext
from tests.world import World


@pytest.fixture
def football(world: World) -> World:
    world.project("football")
    return world


def test_a_key_that_expires_meanwhile_is_no_key(football: World) -> None:
    context = football.context("football")
    late = RequestContext(
        replace(context.principal, expires_at=football.clock.now() - timedelta(seconds=1)), "request-1"
    )
    with pytest.raises(KeyNotValidError):
        football.container.projects.get(late, "football")


def test_the_server_itself_is_for_operators(football: World) -> None:
    with pytest.raises(ScopeMissingError):
        football.container.authorizer.require_server(football.context("football").principal, Action.PROJECT_CREATE)


@pytest.mark.parametrize("error", [DatabaseUnavailableError("locked"), ConflictError("another process was first")])
def test_a_request_is_answered_though_its_use_cannot_be_noted(football: World, error: GatewayError) -> None:
    class ReadOnly:
        read = football.container.database.read

        @contextmanager
        def write(self) -> Any:
            raise error
            yield

    settings = football.container.settings
    authenticator = Authenticator(
        database=ReadOnly(),  # type: ignore[arg-type]  # a database that takes no writes
        pepper=Pepper.load(settings.resolved_pepper_file),
        clock=football.clock,
        environment="test",
    )
    assert authenticator.authenticate(football.key("football")).member == "ada"


def test_ending_a_share_twice_is_no_error(football: World) -> None:
    football.project("venues")
    share = football.share("venues", "football")
    for _ in range(2):
        answer = football.call("DELETE", f"/projects/venues/shares/{share.id}", football.key("venues"))
        assert answer.status_code == 204
