"""Queries over the API: with JSON, and with labels as a frame."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from werkzeug.test import TestResponse

from app.featurestore.query import catalog
from app.featurestore.query.expression import FeatureExpression
from app.settings import UploadSettings
from infra.storage.location import Warehouse
from tenancy.actions import Action
from tenancy.principals import Role
from tenancy.scopes import Scope
from tests.frames import arrow_bytes, frame_headers, frame_request, read_arrow
from tests.world import World, make_world

MOMENT = pa.timestamp("us", "UTC")
DAY = 86_400_000_000
BOTH = pytest.mark.parametrize("path", ["", "/explain"])


def day(number: int, hour: int = 0) -> datetime:
    return datetime(2026, 1, number, hour, tzinfo=UTC)


def moments(*days: datetime | None) -> pa.Array:
    return pa.array(days, MOMENT)


LABELS = pa.table(
    {"team_id": [2, 1, 1, None, 3], "kickoff": moments(day(9), day(4, 12), day(1), day(5), None), "won": [True] * 5}
)
BUDGETS = pa.table(
    {"team_id": [1, 1, 2], "updated": moments(day(2), day(4), day(3)), "budget": [1.0, 2.0, 3.0], "rank": [7, 8, 9]}
)
COLOURS = pa.table({"team_id": [1, 2], "shirt": ["red", "blue"]})


def ask(world: World, path: str, asked: dict[str, Any], labels: pa.Table | None = None, key: str = "") -> TestResponse:
    options = {"json": asked} if labels is None else frame_request(labels, asked)
    return world.call("POST", f"/projects/football/queries{path}", key or world.key("football"), **options)


def rows(answer: TestResponse) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.json
    rows: list[dict[str, Any]] = read_arrow(answer.data).to_pylist()
    return rows


def explained(answer: TestResponse) -> dict[str, Any]:
    assert answer.status_code == 200, answer.json
    return dict(answer.json or {})


def problem(answer: TestResponse) -> tuple[int, str, str]:
    assert answer.json is not None
    return answer.status_code, answer.json["code"], answer.json["detail"]


def make(world: World, project: str, name: str, table: pa.Table, **spec: Any) -> None:
    body = {"name": name, "primary_key": ["team_id"], **spec}
    answer = world.call("POST", f"/projects/{project}/feature-groups", world.key(project), **frame_request(table, body))
    assert answer.status_code == 201, answer.json


def insert(world: World, name: str, table: pa.Table, mode: str = "append") -> None:
    path = f"/projects/football/feature-groups/{name}/versions/1/rows?mode={mode}"
    answer = world.call("POST", path, world.key("football"), **frame_request(table))
    assert answer.status_code == 200, answer.json


@pytest.fixture
def football(world: World) -> World:
    """With budgets and results of its own, colours that venues share, and what rivals keep to themselves."""
    world.projects("football", "venues", "rivals")
    make(world, "football", "budgets", BUDGETS, event_time="updated")
    make(world, "venues", "colours", COLOURS)
    world.share("venues", "football")
    return world


class TestRows:
    def test_every_label_is_answered_once_and_in_order(self, football: World) -> None:
        asked = {"features": ["budget", "shirt"], "labels": {"event_time": "kickoff"}}
        assert rows(ask(football, "", asked, LABELS)) == [
            {"team_id": 2, "kickoff": day(9), "won": True, "budget": 3.0, "shirt": "blue"},
            {"team_id": 1, "kickoff": day(4, 12), "won": True, "budget": 2.0, "shirt": "red"},
            {"team_id": 1, "kickoff": day(1), "won": True, "budget": None, "shirt": "red"},
            {"team_id": None, "kickoff": day(5), "won": True, "budget": None, "shirt": None},
            {"team_id": 3, "kickoff": None, "won": True, "budget": None, "shirt": None},
        ]

    @pytest.mark.parametrize("given_back", [[], ["won"], ["won", "team_id"]])
    def test_only_what_is_asked_back_comes_back(self, football: World, given_back: list[str]) -> None:
        asked = {"features": ["budget"], "labels": {"event_time": "kickoff", "given_back": given_back}}
        answer = read_arrow(ask(football, "", asked, LABELS).data)
        assert answer.column_names == [*given_back, "budget"]
        assert answer["budget"].to_pylist() == [3.0, 2.0, None, None, None]

    def test_thousands_keep_their_order(self, football: World) -> None:
        numbers = list(range(3000))
        labels = pa.table({"n": numbers, "team_id": [n % 3 for n in numbers], "at": moments(*[day(9)] * 3000)})
        asked = {"features": ["budget", "rank"], "labels": {"event_time": "at", "given_back": ["n"]}}
        answer = read_arrow(ask(football, "", asked, labels).data)
        assert answer["n"].to_pylist() == numbers
        assert answer["budget"].to_pylist() == [[None, 2.0, 3.0][n % 3] for n in numbers]

    def test_of_no_labels_there_are_no_rows(self, football: World) -> None:
        asked = {"features": ["budget"], "labels": {"event_time": "kickoff"}}
        answer = read_arrow(ask(football, "", asked, LABELS.slice(0, 0)).data)
        assert (answer.num_rows, answer.column_names) == (0, ["team_id", "kickoff", "won", "budget"])

    def test_a_lookback_of_all_groups_and_of_one(self, football: World) -> None:
        labels = {"event_time": "kickoff", "given_back": []}
        for options in (
            {"lookback": DAY},
            {"joins": {"budgets": {"lookback": DAY}}},
            {"lookback": 0, "joins": {"budgets": {"lookback": DAY}}},
        ):
            answer = rows(ask(football, "", {"features": ["budget"], "labels": labels, **options}, LABELS))
            assert [row["budget"] for row in answer] == [None, 2.0, None, None, None]

    def test_keys_of_another_name_and_a_prefix(self, football: World) -> None:
        labels = LABELS.rename_columns(["home", "kickoff", "won"])
        joins = {"budgets": {"left_on": "home", "right_on": ["team_id"], "prefix": "home_"}}
        asked = {"features": ["budget"], "labels": {"event_time": "kickoff", "given_back": []}, "joins": joins}
        assert [row["home_budget"] for row in rows(ask(football, "", asked, labels))] == [3.0, 2.0, None, None, None]

    def test_labels_of_a_group(self, football: World) -> None:
        results = LABELS.slice(0, 3).append_column("match_id", pa.array([1, 2, 3]))
        make(football, "football", "results", results, primary_key=["match_id"], event_time="kickoff")
        asked = {"features": ["budget"], "labels": {"feature_group": "results_1", "given_back": ["match_id"]}}
        assert rows(ask(football, "", asked)) == [
            {"match_id": 1, "budget": 3.0},
            {"match_id": 2, "budget": 2.0},
            {"match_id": 3, "budget": None},
        ]
        told = explained(ask(football, "/explain", asked))["labels"]
        assert (told["feature_group"], told["rows"], told["table_version"]) == ("football_featurestore.results_1", 3, 0)
        # What the table's log notes, which is whole milliseconds.
        assert (told["first_time"], told["last_time"]) == ("2026-01-01T00:00:00Z", "2026-01-09T00:00:00.001000Z")

    def test_labels_of_an_empty_group(self, football: World) -> None:
        results = LABELS.slice(0, 0).append_column("match_id", pa.array([], pa.int64()))
        make(football, "football", "results", results, primary_key=["match_id"], event_time="kickoff")
        asked = {"features": ["budget"], "labels": {"feature_group": "results"}}
        assert rows(ask(football, "", asked)) == []
        assert explained(ask(football, "/explain", asked))["groups"][0]["files_read"] == 0

    def test_labels_of_a_group_whose_times_the_log_does_not_know(self, football: World) -> None:
        """All of them are null, so that no file has bounds."""
        results = LABELS.set_column(1, "kickoff", moments(*[None] * 5)).append_column("match_id", pa.array(range(5)))
        make(football, "football", "results", results, primary_key=["match_id"], event_time="kickoff")
        asked = {"features": ["budget"], "labels": {"feature_group": "results", "given_back": []}}
        assert rows(ask(football, "", asked)) == [{"budget": None}] * 5
        assert explained(ask(football, "/explain", asked))["labels"]["first_time"] is None

    def test_what_was_not_known_yet_is_left_out(self, football: World) -> None:
        labels = pa.table({"team_id": [1, 1], "at": moments(day(9), datetime.now(UTC) + timedelta(days=1))})
        asked = {"features": ["budget", "shirt"], "labels": {"event_time": "at", "given_back": []}}
        known = {**asked, "as_known": True}
        assert [row["budget"] for row in rows(ask(football, "", asked, labels))] == [2.0, 2.0]
        assert rows(ask(football, "", known, labels)) == [
            {"budget": None, "shirt": None},
            {"budget": 2.0, "shirt": "red"},
        ]

    def test_what_was_known_is_found_after_it_was_replaced(self, football: World) -> None:
        between = datetime.now(UTC)
        insert(football, "budgets", BUDGETS.set_column(2, "budget", pa.array([10.0, 20.0, 30.0])), "overwrite")
        labels = pa.table({"team_id": [1, 1], "at": moments(between, datetime.now(UTC) + timedelta(days=1))})
        asked = {"features": ["budget"], "labels": {"event_time": "at", "given_back": []}}
        assert [row["budget"] for row in rows(ask(football, "", {**asked, "as_known": True}, labels))] == [2.0, 20.0]
        assert [row["budget"] for row in rows(ask(football, "", asked, labels))] == [20.0, 20.0]
        first = {**asked, "as_of": {"budgets": 0}}
        assert [row["budget"] for row in rows(ask(football, "", first, labels))] == [2.0, 2.0]
        assert rows(ask(football, "", {**first, "as_known": True}, labels))[1] == {"budget": 2.0}

    def test_earlier_states_by_time_and_by_version(self, football: World) -> None:
        between = datetime.now(UTC)
        insert(football, "budgets", BUDGETS.set_column(2, "budget", pa.array([10.0, 20.0, 30.0])), "overwrite")
        for state in (
            0,
            "0",
            between.isoformat(),
            {"budgets_1": 0},
            {"football_featurestore.budgets": between.isoformat()},
        ):
            answer = rows(ask(football, "", {"features": ["budget"], "as_of": state}))
            assert sorted(row["budget"] for row in answer) == [1.0, 2.0, 3.0], state
        assert sorted(row["budget"] for row in rows(ask(football, "", {"features": ["budget"]}))) == [10.0, 20.0, 30.0]

    def test_groups_are_joined_left_and_inner(self, football: World) -> None:
        more = pa.table({"team_id": [1, 9], "stadium": ["north", "south"]})
        make(football, "football", "stadiums", more)
        for join_type, expected in (("inner", {1}), ("left", {1, 9})):
            asked = {"features": ["stadium", "team_id", "shirt"], "join_type": join_type}
            assert {row["team_id"] for row in rows(ask(football, "", asked))} == expected

    def test_a_hundred_features_of_twenty_groups(self, football: World) -> None:
        for number in range(20):
            columns = {f"f{number}_{index}": [float(number * 10 + index)] * 2 for index in range(5)}
            make(football, "football", f"g{number}", pa.table({"team_id": [1, 2], **columns}))
        names = [f"f{number}_{index}" for index in range(5) for number in range(20)]
        expected = {name: float(int(name[1:-2]) * 10 + int(name[-1])) for name in names}
        assert rows(ask(football, "", {"features": names})) == [expected] * 2
        asked = {"features": names, "labels": {"given_back": []}}
        answer = rows(ask(football, "", asked, LABELS.select(["team_id"])))
        assert answer == [expected] * 3 + [dict.fromkeys(names)] * 2


def test_the_stores_that_can_be_asked(football: World) -> None:
    answer = football.call("GET", "/projects/football/featurestores", football.key("football"))
    assert answer.json is not None
    assert answer.json["items"] == [
        {"name": "football_featurestore", "project": "football", "shared": False},
        {"name": "venues_featurestore", "project": "venues", "shared": True},
    ]


def test_a_whole_group(football: World) -> None:
    path = "/projects/football/feature-groups/budgets/versions/1/rows?columns=rank,team_id"
    answer = football.call("GET", path, football.key("football"))
    assert rows(answer) == [{"rank": 7, "team_id": 1}, {"rank": 8, "team_id": 1}, {"rank": 9, "team_id": 2}]


class TestExplanations:
    def test_tell_what_the_labels_must_have(self, football: World) -> None:
        asked = {"features": ["shirt", "budget", "team_id"], "labels": {"event_time": "kickoff"}, "lookback": 7 * DAY}
        for labels, count in ((LABELS, 5), (LABELS.slice(0, 0), None)):
            answer = explained(ask(football, "/explain", asked, labels))
            assert answer["columns"] == ["team_id", "kickoff", "won", "shirt", "budget"]
            assert answer["labels"] == {
                "columns": ["team_id", "kickoff"],
                "event_time": "kickoff",
                "first_time": "2026-01-01T00:00:00Z" if count else None,
                "last_time": "2026-01-09T00:00:00Z" if count else None,
                "feature_group": None,
                "table_version": None,
                "rows": count,
                "as_known": False,
                "grant": None,
            }
            assert [(group["name"], group["lookback"]) for group in answer["groups"]] == [
                ("colours", None),
                ("budgets", 7 * DAY),
            ]
            assert "not older than 7 days" in answer["text"]

    def test_tell_which_files_are_read(self, football: World) -> None:
        for number in (10, 20, 30):
            insert(football, "budgets", BUDGETS.set_column(1, "updated", moments(*[day(number)] * 3)))
        asked = {"features": ["budget"], "labels": {"event_time": "at"}}
        for last, lookback, read in ((day(31), None, 4), (day(15), None, 2), (day(15), 6 * DAY, 1), (day(1), None, 0)):
            labels = pa.table({"team_id": [1], "at": moments(last)})
            told = explained(ask(football, "/explain", {**asked, "lookback": lookback}, labels))["groups"][0]
            assert (told["files_read"], told["files"]) == (read, 4)
            assert (told["estimated_bytes"] > 0) == (read > 0)
            found = rows(ask(football, "", {**asked, "lookback": lookback}, labels))[0]["budget"]
            assert found == (None if read == 0 else 2.0), "and the rows are the same"

    def test_may_be_had_without_the_right_to_rows(self, football: World) -> None:
        browsing = football.key("football", scopes=(Scope.FEATURESTORE_BROWSE,))
        asked = {"features": ["budget"], "labels": {"event_time": "kickoff"}}
        assert explained(ask(football, "/explain", asked, LABELS, browsing))["labels"]["rows"] == 5
        assert problem(ask(football, "", asked, LABELS, browsing))[:2] == (403, "scope-missing")

    def test_viewers_may_have_rows_and_explanations(self, football: World) -> None:
        key = football.key("football", football.member("football", "vic", Role.VIEWER))
        asked = {"features": ["budget"], "labels": {"event_time": "kickoff"}}
        assert len(rows(ask(football, "", asked, LABELS, key))) == 5
        assert explained(ask(football, "/explain", asked, LABELS, key))["labels"]["rows"] == 5


WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"features": []}, "features"),
    ({"features": ["f"] * 2001}, "features"),
    ({"join_key": ["a", "a"]}, "join_key"),
    ({"join_key": [1]}, "join_key"),
    ({"join_key": {}}, "join_key"),
    ({"joins": {"budgets": {"on": "team_id"}}}, "joins"),
    ({"joins": {"budgets": {"left_on": 1}}}, "joins"),
    ({"joins": {"budgets": {"prefix": "Home "}}}, "joins"),
    ({"joins": {"budgets": {"lookback": -1}}}, "joins"),
    ({"lookback": -1}, "lookback"),
    ({"lookback": 1.5}, "lookback"),
    ({"lookback": 2**63}, "lookback"),
    ({"as_known": "yes"}, "as_known"),
    ({"as_of": True}, "as_of"),
    ({"as_of": 1.5}, "as_of"),
    ({"as_of": -1}, "as_of"),
    ({"as_of": "2026-01-01T00:00:00"}, "as_of"),
    ({"as_of": {"budgets": None}}, "as_of"),
    ({"as_of": {"budgets": "soon"}}, "as_of"),
    ({"labels": {"columns": {}}}, "labels"),
    ({"labels": {"given_back": "won"}}, "labels"),
    ({"labels": []}, "labels"),
    ({"spine": {}}, "spine"),
]


class TestRefusals:
    @BOTH
    def test_labels_that_are_nowhere(self, football: World, path: str) -> None:
        answer = ask(football, path, {"features": ["budget"], "labels": {"event_time": "kickoff"}})
        assert problem(answer) == (
            422,
            "invalid-input",
            "The query has labels, but neither did a frame come with it nor does it name a group.",
        )

    @BOTH
    def test_a_frame_that_nobody_calls_labels(self, football: World, path: str) -> None:
        for options in ({}, {"labels": None}):
            assert problem(ask(football, path, {"features": ["budget"], **options}, LABELS))[:2] == (
                422,
                "labels-invalid",
            )
        bare = frame_request(LABELS)
        answer = football.call("POST", f"/projects/football/queries{path}", football.key("football"), **bare)
        assert problem(answer)[:2] == (422, "invalid-input")

    @BOTH
    def test_labels_that_are_in_two_places(self, football: World, path: str) -> None:
        asked = {"features": ["budget"], "labels": {"feature_group": "budgets"}}
        assert problem(ask(football, path, asked, LABELS))[1:] == (
            "labels-invalid",
            "The labels are a frame or a feature group, not both.",
        )

    @BOTH
    @pytest.mark.parametrize("media_type", ["text/csv", "application/octet-stream", ""])
    def test_other_content_types(self, football: World, path: str, media_type: str) -> None:
        body = arrow_bytes(LABELS)
        headers = {**frame_headers(body, 5), "Content-Type": media_type}
        answer = football.call(
            "POST", f"/projects/football/queries{path}", football.key("football"), data=body, headers=headers
        )
        assert problem(answer)[:2] == (415, "media-type-unsupported")

    @BOTH
    def test_frames_that_are_cut(self, football: World, path: str) -> None:
        body = arrow_bytes(LABELS, {"features": ["budget"], "labels": {"event_time": "kickoff"}})
        key = football.key("football")
        for sent, headers, code in (
            (body[:-8], frame_headers(body[:-8], 5), "body-truncated"),
            (body, frame_headers(body, 6), "row-count-mismatch"),
            (body, frame_headers(body[:-1], 5), "digest-mismatch"),
            (body, {**frame_headers(body, 5), "Content-Digest": ""}, "header-missing"),
        ):
            answer = football.call("POST", f"/projects/football/queries{path}", key, data=sent, headers=headers)
            assert problem(answer)[:2] == (400, code)

    @BOTH
    def test_times_without_zone(self, football: World, path: str) -> None:
        naive = LABELS.set_column(1, "kickoff", LABELS["kickoff"].cast(pa.timestamp("us")))
        asked = {"features": ["budget"], "labels": {"event_time": "kickoff"}}
        answer = ask(football, path, asked, naive)
        assert problem(answer)[1:] == (
            "labels-invalid",
            "The labels' event time 'kickoff' has no time zone, so that it names no moment.",
        )
        assert answer.json is not None
        assert 'labels["kickoff"].dt.tz_localize("UTC")' in answer.json["hint"]

    @BOTH
    def test_names_that_sql_does_not_tell_apart(self, football: World, path: str) -> None:
        labels = LABELS.append_column("Team_ID", pa.array([1] * 5))
        asked = {"features": ["shirt"], "labels": {"given_back": ["Team_ID"]}}
        assert problem(ask(football, path, asked, labels))[:2] == (422, "labels-invalid")

    @BOTH
    def test_fields_that_are_no_such_thing(self, world: World, path: str) -> None:
        world.projects("football")
        for wrong, field in WRONG_FIELDS:
            answer = ask(world, path, {"features": ["budget"], **wrong})
            assert problem(answer)[:2] == (422, "invalid-input"), wrong
            assert answer.json is not None
            assert [str(each["field"]).partition(".")[0] for each in answer.json["errors"]] == [field], wrong

    def test_states_that_are_not_there(self, football: World) -> None:
        for state in (7, "2020-01-01T00:00:00Z"):
            answer = ask(football, "", {"features": ["budget"], "as_of": state})
            assert answer.status_code == 404


@pytest.fixture
def narrow(tmp_path: Path, local_warehouse: Warehouse) -> Iterator[World]:
    """A gateway that takes little."""
    limits = UploadSettings(max_bytes=4000, max_expanded_bytes=2000)
    world = make_world(tmp_path / "data", None, local_warehouse, uploads=limits)
    world.projects("football")
    make(world, "football", "colours", COLOURS)
    yield world
    world.container.database.engine.dispose()


@BOTH
def test_labels_that_are_too_many(narrow: World, path: str) -> None:
    asked = {"features": ["shirt"], "labels": {}}
    many = pa.table({"team_id": [1] * 1000})
    assert problem(ask(narrow, path, asked, many))[:2] == (413, "frame-too-large")
    wide = pa.table({"team_id": [1], "note": [random.Random(1).randbytes(9000).hex()]})
    assert problem(ask(narrow, path, asked, wide))[:2] == (413, "body-too-large")
    assert ask(narrow, path, asked, pa.table({"team_id": [1] * 10})).status_code == 200


PROBES: list[dict[str, Any]] = [
    {"features": ["secret_plan"]},
    {"features": ["secret_plans.secret_plan"]},
    {"features": ["rivals_featurestore.secret_plans_1.secret_plan"]},
    {"features": ["secret_plams"]},
    {"features": ["budget"], "featurestore": "rivals_featurestore"},
    {"features": ["secret_plan"], "feature_group": "secret_plans"},
    {"features": ["budget"], "labels": {"feature_group": "secret_plans"}},
    {"features": ["budget"], "labels": {"feature_group": "rivals_featurestore.secret_plans_1"}},
    {"features": ["budget"], "labels": {"feature_group": "secret_plan"}},
    {"features": ["budget"], "joins": {"secret_plans": {"prefix": "a_"}}},
    {"features": ["budget"], "as_of": {"secret_plans": 0}},
    {"features": ["budget", "team_id", "team_key"], "join_key": "secret_plan"},
    {"features": ["team_id"]},
]


@BOTH
def test_what_strangers_have_changes_no_answer(football: World, path: str) -> None:
    """Asked before and after the groups are made, every probe answers the same, to the letter."""

    def answers() -> list[object]:
        found: list[object] = []
        for probe in PROBES:
            answer = ask(football, path, probe)
            if answer.status_code == 200 and not path:
                found.append(rows(answer))
            else:
                assert answer.json is not None
                found.append((answer.status_code, {**answer.json, "request_id": None}))
        return found

    before = answers()
    plans = pa.table({"team_id": [1], "team_key": [1], "secret_plan": ["attack"], "at": moments(day(1))})
    make(football, "rivals", "secret_plans", plans, event_time="at")
    assert answers() == before
    football.share("rivals", "football")
    assert answers() != before, "the probes do look for what is there"


def test_a_label_column_is_no_key_because_a_stranger_has_it_as_one(football: World) -> None:
    """Whether a requested name is the labels' own must not depend on groups that the caller cannot see."""
    make(football, "rivals", "secret_plans", pa.table({"rank": [1], "x": [1]}), primary_key=["rank"])
    labels = LABELS.append_column("rank", pa.array([1] * 5))
    asked = {"features": ["rank"], "labels": {"event_time": "kickoff"}}
    status, code, detail = problem(ask(football, "/explain", asked, labels))
    assert (status, code) == (422, "invalid-input")
    assert detail.startswith("There would be two columns 'rank'")


def test_an_expression_is_the_same_in_both_forms(football: World) -> None:
    """JSON in a body and JSON in the schema of a frame go through one schema."""
    asked = {"features": ["budgit"]}
    one = problem(ask(football, "", asked))
    two = problem(ask(football, "", {**asked, "labels": {"event_time": "kickoff"}}, LABELS))
    assert one == two
    assert one[1] == "feature-not-found"


def test_a_group_made_between_two_looks_is_found(football: World) -> None:
    """Near misses are looked for in a second, wider look, which may see more than the first."""
    container, context = football.container, football.context("football")
    first = catalog._asked_features
    with container.database.read() as session, pytest.MonkeyPatch.context() as patched:
        patched.setattr(catalog, "_asked_features", lambda expression: first(replace(expression, features=("absent",))))
        accesses = container.authorizer.accesses(session, context.principal, Action.FEATURE_GROUP_READ)
        planned = catalog.plan_over(session, FeatureExpression(("budget",)), accesses, context.principal.project_id)
        assert [source.group.id in planned.groups for source in planned.plan.sources] == [True]
