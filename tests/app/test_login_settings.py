"""What an operator may say about logins, and what is refused before anything is served."""

from typing import Any

import pytest
from pydantic import ValidationError

from app.settings import LoginSettings
from tests.world import World

REGIONS = "eu-west-1"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"server_id": "gateway.example.com", "regions": "eu-west-1, us-gov-west-1,cn-north-1"},
        {"server_id": "127.0.0.1", "regions": REGIONS, "endpoint_url": "http://127.0.0.1:5000"},
        {"server_id": "::1", "regions": REGIONS, "endpoint_url": "http://[::1]:5000/"},
        {"server_id": "g", "regions": REGIONS, "endpoint_url": "https://vpce-1.sts.eu-west-1.vpce.amazonaws.com"},
    ],
    ids=str,
)
def test_settings_that_make_sense(options: dict[str, Any]) -> None:
    made = LoginSettings(**options)
    assert bool(made.listed_regions) is (made.server_id is not None)


@pytest.mark.parametrize(
    "options",
    [
        {"server_id": "gateway.example.com"},
        {"regions": REGIONS},
        {"server_id": "gateway.example.com", "regions": ""},
        {"server_id": "Gateway.example.com", "regions": REGIONS},
        {"server_id": "https://gateway.example.com", "regions": REGIONS},
        {"server_id": "gateway.example.com\r\nX: y", "regions": REGIONS},
        {"server_id": "", "regions": REGIONS},
        {"server_id": "g", "regions": "eu-west-1.evil.com"},
        {"server_id": "g", "regions": "*"},
        {"server_id": "g", "regions": REGIONS, "endpoint_url": "http://sts.example.com"},
        {"server_id": "g", "regions": REGIONS, "endpoint_url": "https://sts.example.com/path"},
        {"server_id": "g", "regions": REGIONS, "endpoint_url": "https://user@sts.example.com"},
        {"server_id": "g", "regions": REGIONS, "endpoint_url": "http://127.0.0.1.evil.com"},
        {"server_id": "g", "regions": REGIONS, "endpoint_url": "http://127.0.0.1:1@evil.com"},
        {"server_id": "g", "regions": REGIONS, "endpoint_url": "file:///etc/passwd"},
    ],
    ids=str,
)
def test_settings_that_do_not(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LoginSettings(**options)


def test_the_login_is_described_as_open(world: World) -> None:
    document = world.client.get("/api/v1/openapi.json").get_json()
    assert document["paths"]["/api/v1/login/aws"]["post"]["security"] == []
    assert set(document["components"]["securitySchemes"]) == {"ApiKey", "Session"}


def test_the_login_takes_no_idempotency_key(world: World) -> None:
    answer = world.call("POST", "/login/aws", json={}, headers={"Idempotency-Key": "12345678"})
    assert (answer.status_code, answer.json["code"]) == (400, "idempotency-key-unsupported")
