"""A gateway whose projects give out credentials."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from app.settings import LoginSettings, VendingSettings
from infra.storage.location import Warehouse
from tests.frames import frame_request
from tests.lab.seaweedfs import ROLE_ARN
from tests.world import World, make_world

GROUP = "/projects/football/feature-groups/g/versions/1"
CREDENTIALS = f"{GROUP}/credentials"


def vending_world(
    tmp_path: Path, warehouse: Warehouse, endpoint_url: str, *, login: LoginSettings | None = None, **changes: Any
) -> World:
    vending = VendingSettings(role=ROLE_ARN, endpoint_url=endpoint_url, **changes)
    world = make_world(tmp_path / "data", None, warehouse, vending=vending, login=login or LoginSettings())
    world.projects("football", "venues", "rivals")
    for project in ("football", "venues"):
        for name in ("g", "h"):
            create_group(world, project, name)
        switch(world, project)
    return world


def create_group(world: World, project: str, name: str) -> None:
    table = pa.table({"id": [1, 2], "secret": [f"{project} {name}"] * 2})
    path = f"/projects/{project}/feature-groups"
    made = world.call("POST", path, world.key(project), **frame_request(table, {"name": name}))
    assert made.status_code == 201, made.json


def switch(world: World, project: str, *, enabled: bool = True) -> None:
    body = {"enabled": enabled}
    assert world.call("PUT", f"/projects/{project}/vending", world.key(project), json=body).status_code == 200


def ask(world: World, key: str | None = None, path: str = CREDENTIALS) -> Any:
    return world.call("POST", path, key or world.key("football"), json={})


def made_by(world: World, **how: Any) -> dict[str, Any]:
    answer = ask(world, **how)
    assert answer.status_code == 200, answer.json
    return dict(answer.json)


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]
