"""Feature groups on demand: made from a query, read at the source, shared without what leads there."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from app.featurestore.feature_groups.models import FeatureGroup
from app.featurestore.feature_groups.on_demand import MAX_QUERY
from app.featurestore.feature_groups.repository import FeatureGroupRepository
from app.settings import ConnectorSettings, SecretSettings
from infra.errors import EngineLimitError, GatewayError
from infra.ports.sources import (
    SourceLoginRefusedError,
    SourceQueryRefusedError,
    SourceUnreachableError,
    SourceValueError,
)
from infra.storage.location import Warehouse
from tenancy.principals import Role
from tests.frames import frame_request, read_arrow
from tests.lab.source import PASSWORD, READER, SourceDatabase
from tests.world import World, make_world

P = "/projects/football"
SECRET = "env:OAST_SECRET_DB"
QUERY = "SELECT team_id, budget, founded, seen FROM teams ORDER BY team_id -- with a comment"
BODY = {"name": "teams_on_demand", "kind": "ON_DEMAND", "connector": "sales", "query": QUERY}
GROUP = f"{P}/feature-groups/teams_on_demand/versions/1"


@pytest.fixture
def world(
    tmp_path: Path, local_warehouse: Warehouse, source: SourceDatabase, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """`football` with a connector to a database of its own."""
    monkeypatch.setenv("OAST_SECRET_DB", PASSWORD)
    made = make_world(
        tmp_path / "data",
        None,
        local_warehouse,
        secrets=SecretSettings(local=f"football={SECRET}"),
        connectors=ConnectorSettings(allowed_networks="127.0.0.0/8", max_rows=1000, deadline_seconds=20),
    )
    made.projects("football", "rivals")
    source.execute(
        "CREATE TABLE teams (team_id int PRIMARY KEY, budget numeric(10,2), founded date, seen timestamp)",
        "INSERT INTO teams VALUES (1, 2.50, '1900-01-01', '2020-01-01 10:00:00'), (2, NULL, NULL, NULL)",
    )
    place = {"host": "127.0.0.1", "port": source.port, "database": source.database, "user": READER}
    options = {"engine": "postgresql", "tls_mode": "disable", **place}
    body = {"name": "sales", "options": options, "secret": SECRET}
    assert made.call("POST", f"{P}/connectors", made.key("football"), json=body).status_code == 201
    yield made
    made.container.database.engine.dispose()


def _create(world: World, **body: Any) -> Any:
    return world.call("POST", f"{P}/feature-groups", world.key("football"), json={**BODY, **body})


def _group(world: World, name: str = "teams_on_demand") -> FeatureGroup:
    with world.container.database.read() as session:
        project_id = world.context("football").principal.project_id
        assert project_id is not None
        return FeatureGroupRepository(session).get(project_id, name, 1)


def _rows(world: World, *columns: str, limit: int | None = None, name: str = "teams_on_demand") -> pa.Table:
    rows = world.container.on_demand_sources.table(_group(world, name), columns, limit)
    table = rows.batches().read_all()
    assert table.schema == rows.schema
    return table


# making


def test_the_schema_is_the_sources(world: World) -> None:
    created = _create(world, primary_key=["team_id"], event_time="seen", tags={"k": "v"}, description="Teams").json
    assert [(feature["name"], feature["type"]) for feature in created["features"]] == [
        ("team_id", "int"),
        ("budget", "decimal(10,2)"),
        ("founded", "date"),
        ("seen", "timestamp"),
    ]
    assert (created["kind"], created["primary_key"], created["event_time"]) == ("ON_DEMAND", ["team_id"], "seen")
    assert (created["tags"], created["table_version"], created["revision"]) == ({"k": "v"}, 0, 1)
    assert world.call("GET", GROUP, world.key("football")).json == created
    listed = world.call("GET", f"{P}/feature-groups", world.key("football")).json["items"]
    assert listed == [created]
    assert _group(world).location == ""


def test_the_query_and_its_connector_are_told_to_members_who_may_see_connectors(world: World) -> None:
    _create(world)
    assert world.call("GET", f"{GROUP}/source", world.key("football")).json == {"connector": "sales", "query": QUERY}
    viewer = world.key("football", world.member("football", "vic", Role.VIEWER))
    assert world.call("GET", f"{GROUP}/source", viewer).json["code"] == "role-too-low"
    assert QUERY not in world.call("GET", GROUP, viewer).get_data(as_text=True)


def test_creating_again_with_the_same_key_answers_as_before(world: World) -> None:
    headers = {"Idempotency-Key": "0123456789abcdef"}
    key = world.key("football")
    first, second = (world.call("POST", f"{P}/feature-groups", key, json=BODY, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json == first.json
    assert second.headers["Idempotent-Replay"] == "true"


def test_a_scientist_makes_one_and_a_viewer_does_not(world: World) -> None:
    scientist = world.key("football", world.member("football", "sam", Role.DATA_SCIENTIST))
    viewer = world.key("football", world.member("football", "vic", Role.VIEWER))
    assert world.call("POST", f"{P}/feature-groups", viewer, json=BODY).json["code"] == "role-too-low"
    assert world.call("POST", f"{P}/feature-groups", scientist, json=BODY).status_code == 201


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"connector": "salse"}, "connector-not-found"),
        ({"connector": None}, "invalid-input"),
        ({"query": ""}, "invalid-input"),
        ({"query": "   "}, "invalid-input"),
        ({"query": "SELECT " + "1," * MAX_QUERY + "1"}, "invalid-input"),
        ({"query": "SELECT 1; SELECT 2"}, "invalid-input"),
        ({"query": "DELETE FROM teams"}, "invalid-input"),
        ({"query": "SELECT nope FROM teams"}, "source-query-refused"),
        ({"query": "SELECT interval '1 s' AS a"}, "type-not-supported"),
        ({"query": "SELECT 1 AS a, 2 AS a"}, "invalid-input"),
        ({"query": 'SELECT 1 AS "Team ID"'}, "invalid-input"),
        ({"primary_key": ["nope"]}, "invalid-input"),
        ({"event_time": "budget"}, "invalid-input"),
        ({"partition_by": ["team_id"]}, "invalid-input"),
        ({"features": [{"name": "nope", "description": "x"}]}, "invalid-input"),
        ({"features": [{"name": "budget", "type": "bigint"}]}, "invalid-input"),
        ({"name": "Teams"}, "name-not-valid"),
        ({"version": 0}, "invalid-input"),
        ({"kind": "CACHED"}, "invalid-input"),
        ({"kind": "SPINE"}, "invalid-input"),
    ],
    ids=str,
)
def test_what_cannot_be_made(world: World, wrong: dict[str, Any], code: str) -> None:
    answer = _create(world, **wrong)
    assert answer.json["code"] == code, answer.json
    assert PASSWORD not in answer.get_data(as_text=True)
    assert world.call("GET", f"{P}/feature-groups", world.key("football")).json["items"] == []


def test_a_group_exists_once(world: World) -> None:
    _create(world)
    assert _create(world).json["code"] == "feature-group-exists"


def test_rows_are_not_taken_along(world: World) -> None:
    table = pa.table({"team_id": [1]})
    answer = world.call("POST", f"{P}/feature-groups", world.key("football"), **frame_request(table, BODY))
    assert (answer.status_code, answer.json["code"]) == (422, "invalid-input")


def test_types_may_be_widened_and_columns_described(world: World) -> None:
    described = [
        {"name": "team_id", "type": "bigint", "description": "Which"},
        {"name": "budget", "type": "decimal(12,4)"},
    ]
    created = _create(world, features=described).json
    assert created["features"][0] | {"primary": True} == {
        "name": "team_id", "type": "bigint", "description": "Which", "primary": True, "partition": False,
    }  # fmt: skip
    assert _rows(world, "team_id", "budget").schema.types == [pa.int64(), pa.decimal128(12, 4)]


def test_no_connector_of_another_project(world: World) -> None:
    world.share("football", "rivals")
    answer = world.call("POST", "/projects/rivals/feature-groups", world.key("rivals"), json=BODY)
    assert answer.json["code"] == "connector-not-found"
    assert "candidates" not in answer.json
    assert world.call("POST", f"{P}/feature-groups", world.key("rivals"), json=BODY).json["code"] == "not-permitted"


# reading


def test_rows_are_the_sources_at_this_moment(world: World, source: SourceDatabase) -> None:
    _create(world)
    one, two = _rows(world, "team_id", "budget", "founded", "seen").to_pylist()
    assert (str(one["budget"]), one["founded"], one["seen"]) == (
        "2.50",
        date(1900, 1, 1),
        datetime(2020, 1, 1, 10, tzinfo=UTC),
    )
    assert two == {"team_id": 2, "budget": None, "founded": None, "seen": None}
    source.execute("INSERT INTO teams VALUES (3, 1, NULL, NULL)")
    assert _rows(world, "team_id").to_pydict() == {"team_id": [1, 2, 3]}


def test_columns_order_and_limit(world: World) -> None:
    _create(world)
    assert _rows(world, "budget", "team_id", limit=1).column_names == ["budget", "team_id"]
    assert len(_rows(world, "team_id", limit=1)) == 1
    assert len(_rows(world, "team_id", limit=0)) == 0
    assert _rows(world).column_names == ["team_id"], "something must be read where only the number of rows counts"


def test_each_run_asks_anew(world: World) -> None:
    _create(world)
    rows = world.container.on_demand_sources.table(_group(world), ["team_id"])
    assert [rows.batches().read_all().num_rows for _ in range(2)] == [2, 2]


def test_a_big_answer_is_stopped_at_the_cap(world: World) -> None:
    _create(world, name="big", query="SELECT generate_series(1, 100000) AS i", connector="sales")
    with pytest.raises(EngineLimitError, match="more than 1,000 rows"):
        _rows(world, "i", name="big")
    assert len(_rows(world, "i", name="big", limit=1000)) == 1000


def test_a_source_that_changed_is_refused(world: World, source: SourceDatabase) -> None:
    _create(world)
    source.execute("ALTER TABLE teams ALTER budget TYPE text")
    with pytest.raises(SourceValueError, match=r"has changed.*budget"):
        _rows(world, "team_id", "budget")
    assert len(_rows(world, "team_id")) == 2
    source.execute("ALTER TABLE teams DROP budget")
    with pytest.raises(SourceQueryRefusedError, match="42703"):
        _rows(world, "team_id")


def test_a_value_that_became_too_large(world: World, source: SourceDatabase) -> None:
    _create(world)
    source.execute(
        "ALTER TABLE teams ALTER team_id TYPE bigint", "UPDATE teams SET team_id = 3000000000 WHERE team_id = 2"
    )
    with pytest.raises(SourceValueError, match="team_id"):
        _rows(world, "team_id")


def test_an_error_midway_reaches_the_reader(world: World) -> None:
    _create(world, name="late", query="SELECT 1000 / (900 - i) AS x FROM generate_series(1, 900) AS i")
    reader = world.container.on_demand_sources.table(_group(world, "late"), ["x"]).batches()
    with pytest.raises(SourceQueryRefusedError, match="22012"):
        reader.read_all()


# reading over the API


def _read(world: World, path: str, project: str = "football", **body: Any) -> Any:
    method = "POST" if body else "GET"
    with world.call(method, path, world.key(project), **({"json": body} if body else {})) as answer:
        return read_arrow(answer.data).to_pydict() if answer.status_code == 200 else answer.get_json()


def test_rows_queries_and_sql(world: World) -> None:
    _create(world, primary_key=["team_id"])
    frame = frame_request(pa.table({"team_id": pa.array([2, 3], pa.int32()), "fans": [20, 30]}), {"name": "fans"})
    assert world.call("POST", f"{P}/feature-groups", world.key("football"), **frame).status_code == 201
    assert _read(world, f"{GROUP}/rows?columns=team_id") == {"team_id": [1, 2]}
    assert _read(world, f"{P}/queries", features=["team_id", "fans", "budget"], join_key="team_id") == {
        "team_id": [2], "fans": [20], "budget": [None],
    }  # fmt: skip
    assert _read(world, f"{P}/sql", query="SELECT sum(team_id) AS n FROM teams_on_demand_1") == {"n": [3]}


def test_a_receiver_reads_the_rows(world: World) -> None:
    _create(world)
    assert _read(world, f"{GROUP}/rows", "rivals")["code"] == "project-not-found"
    world.share("football", "rivals")
    assert _read(world, f"{GROUP}/rows?columns=team_id", "rivals") == {"team_id": [1, 2]}
    assert _read(world, "/projects/rivals/queries", "rivals", features=["team_id"]) == {"team_id": [1, 2]}
    explained = world.call(
        "POST", "/projects/rivals/queries/explain", world.key("rivals"), json={"features": ["team_id"]}
    )
    assert not [
        word for word in ("sales", "FROM teams ", READER, "127.0.0.1") if word in explained.get_data(as_text=True)
    ]


def test_a_training_dataset_keeps_the_rows_of_a_moment(world: World, source: SourceDatabase) -> None:
    _create(world)
    body = {"name": "kept", "query": {"features": ["team_id"]}}
    assert world.call("POST", f"{P}/training-datasets", world.key("football"), json=body).status_code == 201
    source.execute("DELETE FROM teams")
    assert _read(world, f"{P}/training-datasets/kept/versions/1/rows") == {"team_id": [1, 2]}
    assert _read(world, f"{GROUP}/rows?columns=team_id") == {"team_id": []}


def test_a_source_that_fails_is_a_proper_answer(world: World, source: SourceDatabase) -> None:
    _create(world)
    world.share("football", "rivals")
    source.execute("ALTER TABLE teams RENAME TO squads")
    for path, project, body in (
        (f"{GROUP}/rows", "rivals", {}),
        ("/projects/rivals/queries", "rivals", {"features": ["team_id"]}),
        (f"{P}/sql", "football", {"query": "SELECT * FROM teams_on_demand_1"}),
    ):
        problem = _read(world, path, project, **body)
        assert (problem["status"], problem["code"]) == (422, "source-query-refused")
        assert "squads" not in str(problem)


# what readers learn


def test_readers_do_not_learn_where_the_rows_are(
    world: World, source: SourceDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    _create(world)
    key = world.key("football")
    options = world.call("GET", f"{P}/connectors/sales", key).json["options"]

    def failure(**change: Any) -> GatewayError:
        body = {"options": {**options, **change}, "secret": SECRET}
        assert world.call("PATCH", f"{P}/connectors/sales", key, json=body).status_code == 200
        with pytest.raises(GatewayError) as refusal:
            _rows(world, "team_id")
        return refusal.value

    errors = [failure(port=1), failure(host="nosuchhost.invalid"), failure(user="nobody"), failure(database="nope")]
    monkeypatch.delenv("OAST_SECRET_DB")
    errors.append(failure())
    kinds = [SourceUnreachableError] * 2 + [SourceLoginRefusedError] * 3
    assert [type(error) for error in errors] == kinds
    for error in errors:
        said = f"{error.__dict__} {error.__cause__}"
        for secret in ("127.0.0.1", "nosuchhost", "nobody", "nope", READER, SECRET, PASSWORD, "sales", "SELECT"):
            assert secret not in said
        assert "teams_on_demand version 1" in said


def test_a_share_shows_rows_and_nothing_else(world: World) -> None:
    _create(world, description="Teams", tags={"k": "v"})
    world.share("football", "rivals")
    key = world.key("rivals")
    texts = [
        world.call("GET", path, key).get_data(as_text=True) for path in (GROUP, f"{P}/feature-groups", f"{GROUP}/tags")
    ]
    assert '"ON_DEMAND"' in texts[0]
    hidden = ("sales", "SELECT", SECRET, READER, "127.0.0.1", "postgresql", "connector")
    for text in texts:
        assert not [word for word in hidden if word in text]
    answer = world.call("GET", f"{GROUP}/source", key)
    assert (answer.status_code, answer.json["code"]) == (403, "not-permitted")


# what is about rows of ours


def test_what_needs_a_table_is_refused(world: World) -> None:
    _create(world)
    key = world.key("football")
    frame = frame_request(pa.table({"team_id": [1]}))
    answers = [
        world.call("POST", f"{GROUP}/rows?mode={mode}", key, **frame) for mode in ("append", "overwrite", "upsert")
    ] + [world.call("GET", f"{GROUP}/partitions", key)]
    for answer in answers:
        assert (answer.status_code, answer.json["code"]) == (422, "feature-group-on-demand")


def test_everything_else_works(world: World) -> None:
    _create(world)
    key = world.key("football")
    changed = world.call(
        "PATCH", GROUP, key, json={"description": "New", "features": [{"name": "budget", "description": "€"}]}
    )
    assert (changed.json["description"], changed.json["features"][1]["description"]) == ("New", "€")
    assert world.call("PUT", f"{GROUP}/tags/k", key, json={"value": "v"}).status_code == 200
    assert world.call("GET", f"{GROUP}/tags", key).json == {"items": [{"name": "k", "value": "v"}]}


def test_a_connector_in_use_stays(world: World) -> None:
    _create(world)
    _create(world, version=2)
    key = world.key("football")
    refused = world.call("DELETE", f"{P}/connectors/sales", key)
    assert (refused.status_code, refused.json["code"]) == (409, "connector-in-use")
    assert "teams_on_demand version 1, teams_on_demand version 2" in refused.json["detail"]
    for version in (1, 2):
        assert world.call("DELETE", f"{P}/feature-groups/teams_on_demand/versions/{version}", key).status_code == 204
    assert world.call("DELETE", f"{P}/connectors/sales", key).status_code == 204


def test_who_sees_no_groups_is_told_their_number(world: World) -> None:
    from tenancy.scopes import Scope

    _create(world)
    refused = world.call("DELETE", f"{P}/connectors/sales", world.key("football", scopes=(Scope.FEATURESTORE_MANAGE,)))
    assert refused.json["code"] == "connector-in-use"
    assert "teams_on_demand" not in refused.get_data(as_text=True)


def test_deleting_touches_no_warehouse_and_no_source(
    world: World, source: SourceDatabase, local_warehouse: Warehouse
) -> None:
    _create(world)
    assert world.call("DELETE", GROUP, world.key("football")).status_code == 204
    assert world.call("GET", GROUP, world.key("football")).status_code == 404
    assert source.value("SELECT count(*) FROM teams") == 2
    assert not Path(local_warehouse.url).exists()


def test_a_cached_group_has_no_source(world: World) -> None:
    body = {"name": "cached", "features": [{"name": "id", "type": "bigint"}]}
    world.call("POST", f"{P}/feature-groups", world.key("football"), json=body)
    answer = world.call("GET", f"{P}/feature-groups/cached/versions/1/source", world.key("football"))
    assert answer.status_code == 404
