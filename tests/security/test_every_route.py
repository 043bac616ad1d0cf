"""Every route of the map against everyone who may not use it: a new route is in here by itself, or fails for want of a body."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from app.web.registry import Route
from app.web.state import EXTENSION
from tenancy.actions import RULES, Action, ShareKind
from tenancy.principals import Role
from tenancy.scopes import Scope
from tests.frames import frame_request
from tests.world import World

CANARY = "canary7f3a"
BODIES: dict[Action, dict[str, Any]] = {
    Action.PROJECT_CREATE: {"name": "newcomer", "owner": "nora"},
    Action.MEMBER_SET: {"role": "viewer"},
    Action.API_KEY_CREATE: {"name": "another"},
    Action.API_KEY_ROTATE: {},
    Action.ROLE_BINDING_CREATE: {"role_arn": "arn:aws:iam::123456789012:role/Newcomer"},
    Action.SHARE_OFFER: {"receiver": "rivals", "what": "feature_store"},
    Action.FEATURE_GROUP_CREATE: {"name": "fresh", "features": [{"name": "id", "type": "bigint"}]},
    Action.FEATURE_GROUP_UPDATE: {"description": "changed"},
    Action.QUERY_RUN: {"features": ["plain"]},
    Action.QUERY_EXPLAIN: {"features": ["plain"]},
    Action.TRAINING_DATASET_CREATE: {"name": "fresh", "query": {"features": ["plain"]}},
    Action.JOB_SAVE: {
        "kind": "training_dataset",
        "arguments": {"name": "fresh", "query": {"features": ["plain"]}},
        "description": CANARY,
    },
    Action.JOB_RUN: {},
    Action.DRIFT_READ: {"old": {"feature_group": "group"}, "new": {"training_dataset": "dataset"}},
    Action.CONNECTOR_CREATE: {"name": "fresh", "options": {"engine": "sqlite", "path": "x.db"}},
    Action.CONNECTOR_UPDATE: {"description": "changed"},
    Action.CONNECTOR_TEST: {},
    Action.DATA_VEND: {},
    Action.VENDING_SET: {"enabled": True},
}
# Where the action alone does not tell.
BODIES_BY_END: dict[str, dict[str, Any]] = {
    "/features": {"features": [{"name": "later", "type": "double"}]},
    "/expectations": {"rules": [{"rule": "not_null", "columns": ["plain"]}]},
    "/tags/<tag>": {"value": "changed"},
    "/recreate": {},
    "/statistics": {"options": {"bins": 3}},
    "/queries/credentials": {"features": ["plain"]},
    "/staged-inserts": {"bytes": 1},
    "/sql": {"query": "SELECT plain FROM group_1"},
    "/sql/explain": {"query": "SELECT plain FROM group_1"},
}
MUTATING = {"POST", "PUT", "PATCH", "DELETE"}


@dataclass(frozen=True)
class Victim:
    """Project `venues`, full of canaries, and what addresses its things."""

    world: World
    values: dict[str, str]

    def url(self, route: Route, project: str = "venues") -> str:
        values = {**self.values, "project": project}
        if "training-datasets" in route.rule:
            values["name"] = "dataset"
        if "jobs" in route.rule:
            values["name"] = "job"
        if "connectors" in route.rule:
            values["name"] = "connector"
        if "members" in route.rule:
            values["name"] = "vera"
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: values[match[1]], route.rule)
        return path.removeprefix("/api/v1")

    def send(self, route: Route, key: str | None, project: str = "venues") -> tuple[int, str]:
        with self.world.call(route.method, self.url(route, project), key, **_options(route)) as answer:
            return answer.status_code, answer.data.decode(errors="replace")

    @property
    def pending_share(self) -> UUID:
        return UUID(self.values["share_id"])

    def state(self) -> str:
        """All of the victim that its owner sees, as text."""
        key = self.world.key("venues")
        paths = (
            "members",
            "api-keys",
            "role-bindings",
            "shares",
            "feature-groups",
            "training-datasets",
            "connectors",
            "vending",
            "jobs",
            "runs",
            "feature-groups/group/versions/1",
            "feature-groups/group/versions/1/expectations",
            "feature-groups/group/versions/1/validations",
        )
        texts = [self.world.call("GET", f"/projects/venues/{path}", key).get_data(as_text=True) for path in paths]
        return re.sub(r'"last_used_at":[^,}]*', "", "\n".join(texts))


@pytest.fixture
def victim(world: World) -> Victim:
    world.projects("venues", "football", "rivals")
    key = world.key("venues")
    table = pa.table({"plain": [1, 2], f"{CANARY}_feature": [f"{CANARY} value", None]})
    command = {
        "name": "group",
        "description": f"{CANARY} description",
        "partition_by": [f"{CANARY}_feature"],
        "tags": {"tag": f"{CANARY} tag"},
    }
    assert (
        world.call("POST", "/projects/venues/feature-groups", key, **frame_request(table, command)).status_code == 201
    )
    rules = {"policy": "report", "rules": [{"rule": "range", "column": "plain", "max": 1, "name": CANARY}]}
    assert (
        world.call("PUT", "/projects/venues/feature-groups/group/versions/1/expectations", key, json=rules).status_code
        == 200
    )
    dataset = {"name": "dataset", "description": CANARY, "query": {"features": ["plain", f"{CANARY}_feature"]}}
    assert world.call("POST", "/projects/venues/training-datasets", key, json=dataset).status_code == 201
    for thing in ("feature-groups/group", "training-datasets/dataset"):
        asked = world.call("POST", f"/projects/venues/{thing}/versions/1/statistics", key, json={})
        assert asked.status_code == 202
    assert world.work() == 2
    server = {"engine": "mysql", "host": f"{CANARY}.example.com", "database": CANARY, "user": CANARY}
    connector = {"name": "connector", "options": server, "secret": f"aws-sm:oasthouse/venues/{CANARY}"}
    assert world.call("POST", "/projects/venues/connectors", key, json=connector).status_code == 201
    job = BODIES[Action.JOB_SAVE]
    assert world.call("PUT", "/projects/venues/jobs/job", key, json=job).status_code == 200
    run = world.call("POST", "/projects/venues/jobs/job/runs", key, json={}).json
    world.member("venues", f"{CANARY}_member", Role.VIEWER)
    role = {"role_arn": f"arn:aws:iam::123456789012:role/{CANARY}"}
    binding = world.call("POST", "/projects/venues/role-bindings", key, json=role).json
    share = world.offer("venues", "football", ShareKind.FEATURE_STORE)
    values = {
        "name": "group",
        "version": "1",
        "key_id": world.key_id(key),
        "share_id": str(share.id),
        "tag": "tag",
        "path": "part-00000.parquet",
        "table_version": "0",
        "part": "0",
        "run_id": run["id"],
        "binding_id": binding["id"],
    }
    return Victim(world, values)


def _routes(world: World) -> list[Route]:
    routes: list[Route] = world.app.extensions[f"{EXTENSION}.routes"]
    return routes


def _options(route: Route) -> dict[str, Any]:
    if route.method not in ("POST", "PUT", "PATCH"):
        return {}
    if route.rule.endswith("/rows"):
        return frame_request(pa.table({"plain": [9], f"{CANARY}_feature": ["x"]}))
    for end, body in BODIES_BY_END.items():
        if route.rule.endswith(end):
            return {"json": body}
    if route.operation.action is Action.SHARE_ANSWER:
        return {}
    return {"json": BODIES[route.operation.action]}


def _foreign(world: World) -> Iterator[Route]:
    """Routes into a project that belongs to somebody else."""
    return (route for route in _routes(world) if "<project>" in route.rule)


def _expired(world: World) -> str:
    key = world.key("football", fresh=True)
    world.clock.ahead = timedelta(days=91)
    return key


def _revoked(world: World) -> str:
    key = world.key("football", fresh=True)
    world.container.api_keys.revoke(world.operator, "football", world.key_id(key))
    return key


def _mistyped(world: World) -> str:
    key = world.key("football")
    return key[:-1] + ("0" if key[-1] != "0" else "1")


def _of_removed_member(world: World) -> str:
    world.member("football", "leaver", Role.DATA_OWNER)
    key = world.key("football", "leaver")
    world.container.members.remove(world.operator, "football", "leaver")
    world.member("football", "leaver", Role.DATA_OWNER)  # the same name again revives nothing
    return key


def test_what_is_open_to_everybody_is_known(world: World) -> None:
    asked = {(route.method, route.rule) for route in _routes(world)}
    every = {(method, rule.rule) for rule in world.app.url_map.iter_rules() for method in rule.methods or ()}
    assert {each for each in every - asked if each[0] not in ("HEAD", "OPTIONS")} == {
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/api/v1/openapi.json"),
        ("GET", "/api/v1/docs"),
        ("GET", "/api/v1/static/<path:path>"),
        ("POST", "/api/v1/login/aws"),
    }


@pytest.mark.parametrize("make_key", [lambda _: None, _mistyped, _expired, _revoked, _of_removed_member])
def test_no_valid_key_is_401_everywhere(victim: Victim, make_key: Any) -> None:
    key = make_key(victim.world)
    answers = [(route, *victim.send(route, key)) for route in _routes(victim.world)]
    assert len(answers) >= 35
    assert {status for _, status, _ in answers} == {401}
    assert not [route for route, _, text in answers if CANARY in text]
    reasons = {re.sub(r'"(request_id|instance)": "[^"]*"', "", text) for _, _, text in answers}
    assert len(reasons) == 1, "the answer tells nothing about the reason or the route"


def test_wrong_scope_is_403_everywhere(victim: Victim) -> None:
    for route in _routes(victim.world):
        needed = RULES[route.operation.action].scope
        if needed is None:
            continue
        others = tuple(
            scope for scope in Scope if scope not in (needed, Scope.OPERATOR, Scope.FEATURESTORE, Scope.PROJECT)
        )
        status, text = victim.send(route, victim.world.key("venues", scopes=others))
        assert (status, json.loads(text)["code"]) == (403, "scope-missing"), route
        assert CANARY not in text


def test_stranger_gets_404_as_for_what_does_not_exist(victim: Victim) -> None:
    _require_absent(victim, victim.world.key("rivals"), "rivals")


def test_receiver_of_a_pending_share_is_a_stranger(victim: Victim) -> None:
    _require_absent(victim, victim.world.key("football"), "football")


@pytest.mark.parametrize("ending", ["declined", "ended by owner", "ended by receiver", "expired"])
def test_receiver_of_a_share_that_is_over_is_a_stranger(victim: Victim, ending: str) -> None:
    world, shares = victim.world, victim.world.container.shares
    first = victim.pending_share
    if ending == "declined":
        shares.decline(world.context("football"), "football", first)
    elif ending == "expired":
        shares.end(world.context("venues"), "venues", first)
        world.share("venues", "football", expires_at=world.clock.now() + timedelta(hours=1))
        world.clock.ahead = timedelta(hours=2)
    else:
        shares.accept(world.context("football"), "football", first)
        side = "venues" if ending == "ended by owner" else "football"
        shares.end(world.context(side), side, first)
    _require_absent(victim, world.key("football"), "football")


def _require_absent(victim: Victim, key: str, who: str) -> None:
    before = victim.state()
    for route in _foreign(victim.world):
        status, text = victim.send(route, key)
        absent_status, absent_text = victim.send(route, key, project="nowhere")
        assert (status, absent_status) == (404, 404), (route, who, text)
        assert _neutral(text, "venues") == _neutral(absent_text, "nowhere"), (route, who)
        assert CANARY not in text
    for route in _routes(victim.world):
        if "<project>" not in route.rule and route.method not in MUTATING:
            status, text = victim.send(route, key)
            assert status == 200
            assert CANARY not in text
            assert "venues" not in text
    assert victim.state() == before


def _neutral(text: str, project: str) -> str:
    return re.sub(r'"request_id": "[^"]*"', "", text).replace(project, "<project>")


def test_a_share_of_one_kind_shows_nothing_of_the_other(victim: Victim) -> None:
    world = victim.world
    world.share("venues", "rivals", ShareKind.TRAINING_DATASETS)
    key = world.key("rivals")
    assert world.call("GET", "/projects/venues/training-datasets/dataset/versions/1", key).status_code == 200
    for path in ("feature-groups", "feature-groups/group/versions/1", "feature-groups/group/versions/1/rows"):
        answer = world.call("GET", f"/projects/venues/{path}", key)
        assert (answer.status_code, answer.json["code"]) == (404, "not-shared")
        assert CANARY not in answer.get_data(as_text=True)
    missing = world.call("POST", "/projects/rivals/queries", key, json={"features": [f"{CANARY}_featur"]})
    assert (missing.status_code, missing.json["code"]) == (404, "feature-not-found")
    assert "candidates" not in missing.json
    manifest = world.call("GET", "/projects/venues/training-datasets/dataset/versions/1/manifest", key).json
    assert (manifest["groups"], manifest["query"]) == ([], None)


def test_a_share_is_for_reading(victim: Victim) -> None:
    world = victim.world
    world.container.shares.accept(world.context("football"), "football", victim.pending_share)
    world.share("venues", "football", ShareKind.TRAINING_DATASETS)
    before = victim.state()
    for route in _foreign(victim.world):
        rule = RULES[route.operation.action]
        status, text = victim.send(route, world.key("football"))
        # Nothing is shared of what this gateway does not do: credentials need a warehouse in S3.
        given = 409 if route.operation.action is Action.DATA_VEND else 200
        # Queries are asked in the key's own project.
        is_given = rule.shared_by and not route.rule.endswith("/queries/credentials")
        assert status == (given if is_given else 403), (route, text)
        assert status != 409 or CANARY not in text
    assert victim.state() == before


def test_a_share_is_not_passed_on(victim: Victim) -> None:
    world = victim.world
    world.container.shares.accept(world.context("football"), "football", victim.pending_share)
    world.share("football", "rivals")
    assert (
        world.call("POST", "/projects/rivals/queries", world.key("rivals"), json={"features": ["plain"]}).status_code
        == 404
    )
    assert world.call("GET", "/projects/venues", world.key("rivals")).status_code == 404


def test_a_viewer_changes_nothing(victim: Victim) -> None:
    world = victim.world
    key = world.key("venues", f"{CANARY}_member")
    before = victim.state()
    for route in _foreign(world):
        rule = RULES[route.operation.action]
        status, text = victim.send(route, key)
        if rule.role > Role.VIEWER:
            assert (status, json.loads(text)["code"]) == (403, "role-too-low"), route
        else:
            assert status == 200, (route, text)
    assert victim.state() == before


def test_an_operator_reads_no_data(victim: Victim) -> None:
    world = victim.world
    key = world.container.api_keys.create_operator_key(world.operator, "operator").key.reveal()
    for route in _routes(world):
        action = route.operation.action
        if RULES[action].operator:
            continue
        status, text = victim.send(route, key)
        assert (status, json.loads(text)["code"]) == (403, "scope-missing"), route
        assert CANARY not in text
