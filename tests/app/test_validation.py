"""Rules of a feature group: inserts are held against them, reports kept, tables looked at by runs."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pyarrow as pa
import pytest
from sqlalchemy import func, select

from app.featurestore.expectations import repository
from app.featurestore.expectations.inspector import ExpectationInspector
from app.featurestore.expectations.models import ValidationReport
from app.featurestore.feature_groups.models import FeatureGroup
from infra.errors import StorageUnavailableError
from infra.ports.tables import Write
from infra.storage.location import Warehouse
from tenancy.actions import ShareKind
from tenancy.principals import Role
from tenancy.scopes import Scope
from tests.frames import frame_request, read_arrow
from tests.world import World, make_world

GROUPS = "/projects/football/feature-groups"
GROUP = f"{GROUPS}/players/versions/1"
ADULTS = {"rule": "range", "column": "age", "min": 16, "max": 50, "name": "adults"}
NAMED = {"rule": "not_null", "columns": ["name"]}
SECRET = "Zlatan the secret"


@pytest.fixture
def world(world: World) -> World:
    world.projects("football", "rivals")
    return world


def rows(*ages: int | None, name: str | None = "ada", start: int = 0) -> pa.Table:
    ids = pa.array(range(start, start + len(ages)), pa.int64())
    return pa.table({"id": ids, "age": pa.array(ages, pa.int64()), "name": pa.array([name] * len(ages), pa.string())})


def create(world: World, table: pa.Table | None = None, **command: Any) -> Any:
    sent = {"name": "players", "primary_key": ["id"], **command}
    return world.call("POST", GROUPS, world.key("football"), **frame_request(table or rows(20, 30), sent))


def expect(world: World, *rules: dict[str, Any], policy: str = "strict", key: str | None = None) -> Any:
    body = {"policy": policy, "rules": list(rules)}
    return world.call("PUT", f"{GROUP}/expectations", key or world.key("football"), json=body)


def insert(world: World, table: pa.Table, mode: str = "append", key: str | None = None, **headers: str) -> Any:
    request = frame_request(table)
    request["headers"] |= headers
    return world.call("POST", f"{GROUP}/rows?mode={mode}", key or world.key("football"), **request)


def reports(world: World, key: str | None = None) -> list[dict[str, Any]]:
    answer = world.call("GET", f"{GROUP}/validations", key or world.key("football"))
    assert answer.status_code == 200, answer.json
    return list(answer.json["items"])


def ages(world: World) -> list[int | None]:
    answer = world.call("GET", f"{GROUP}/rows", world.key("football"))
    return sorted(read_arrow(answer.data)["age"].to_pylist(), key=str)


def runs(world: World) -> list[dict[str, Any]]:
    return list(world.call("GET", "/projects/football/runs", world.key("football")).json["items"])


class TestRules:
    def test_are_set_told_and_removed(self, world: World) -> None:
        create(world)
        assert world.call("GET", f"{GROUP}/expectations", world.key("football")).json["rules"] == []
        done = expect(world, ADULTS, NAMED, policy="report")
        assert (done.status_code, done.json["policy"], done.json["rules"]) == (200, "report", [ADULTS, NAMED])
        told = world.call("GET", f"{GROUP}/expectations", world.key("football"))
        assert (told.json, told.headers["ETag"]) == (done.json, f'"{done.json["revision"]}"')
        stale = {"If-Match": f'"{done.json["revision"] - 1}"'}
        body = {"rules": [NAMED]}
        refused = world.call("PUT", f"{GROUP}/expectations", world.key("football"), json=body, headers=stale)
        assert (refused.status_code, refused.json["code"]) == (412, "revision-stale")
        for _ in range(2):
            assert world.call("DELETE", f"{GROUP}/expectations", world.key("football")).status_code == 204
        assert insert(world, rows(99)).json["validation"] is None

    def test_what_does_not_fit_is_refused_at_once(self, world: World) -> None:
        create(world)
        refused = expect(world, NAMED, {"rule": "range", "column": "agee", "min": 1}, {"rule": "colour"})
        assert refused.status_code == 422
        refused = expect(world, NAMED, {"rule": "range", "column": "agee", "min": 1})
        assert refused.json["errors"][0]["field"] == "rules.1"
        assert "age" in refused.json["candidates"]
        assert world.call("GET", f"{GROUP}/expectations", world.key("football")).json["rules"] == []
        unknown = {"rules": [NAMED], "colour": 1}
        assert world.call("PUT", f"{GROUP}/expectations", world.key("football"), json=unknown).status_code == 422

    def test_are_for_who_may_change_the_group(self, world: World) -> None:
        create(world)
        world.member("football", "vic", Role.VIEWER)
        world.share("football", "rivals", ShareKind.FEATURE_STORE)
        for key in (world.key("football", "vic"), world.key("rivals")):
            assert expect(world, NAMED, key=key).status_code == 403
            assert world.call("GET", f"{GROUP}/expectations", key).status_code == 200
            assert world.call("DELETE", f"{GROUP}/expectations", key).status_code == 403

    def test_every_change_is_on_record(self, world: World) -> None:
        from tenancy.audit.models import AuditEvent

        create(world)
        expect(world, NAMED)
        with world.container.database.read() as session:
            events = session.scalars(select(AuditEvent).where(AuditEvent.action == "feature-group:update")).all()
        assert [event.detail for event in events] == [{"rules": 1}]


class TestStrict:
    @pytest.mark.parametrize("mode", ["append", "overwrite", "upsert"])
    def test_nothing_is_written(self, world: World, mode: str) -> None:
        create(world)
        expect(world, ADULTS, NAMED)
        answer = insert(world, rows(21, 99, None, name=None), mode)
        assert (answer.status_code, answer.json["code"]) == (422, "validation-failed")
        adults, named = answer.json["errors"]
        assert (adults["name"], adults["rows_failed"], adults["rows_passed"]) == ("adults", 1, 2)
        assert adults["examples"] == [{"row": 1, "column": "age", "value": "99"}]
        assert (named["field"], named["rows_failed"]) == ("name", 3)
        assert "99" not in answer.json["detail"]
        assert ages(world) == [20, 30]
        (report,) = reports(world)
        assert (report["passed"], report["table_version"], report["rows"], report["by"]) == (False, None, 3, "ada")
        assert report["of"] == "insert"
        assert [result["passed"] for result in report["results"]] == [False, False]

    def test_rows_that_keep_the_rules_are_written_and_reported(self, world: World) -> None:
        create(world)
        expect(world, ADULTS, NAMED)
        answer = insert(world, rows(21, start=5)).json
        (report,) = reports(world)
        assert answer["validation"] == {"report": report["id"], "passed": True, "rules": 2, "rules_failed": 0}
        assert (report["passed"], report["table_version"], report["policy"]) == (True, 1, "strict")

    def test_a_frame_that_does_not_fit_is_no_matter_of_rules(self, world: World) -> None:
        create(world)
        expect(world, NAMED)
        assert insert(world, rows(1).drop(["age"])).json["code"] == "schema-mismatch"
        assert reports(world) == []

    def test_the_same_request_may_be_mended(self, world: World) -> None:
        create(world)
        expect(world, ADULTS)
        key = {"Idempotency-Key": "the-same-key"}
        assert insert(world, rows(99), **key).status_code == 422
        expect(world, NAMED)
        assert insert(world, rows(99), **key).status_code == 200
        assert [(report["passed"], report["table_version"]) for report in reports(world)] == [(True, 1), (False, None)]


class TestReport:
    def test_rows_are_written_and_what_is_wrong_is_kept(self, world: World) -> None:
        create(world)
        expect(world, ADULTS, {"rule": "unique", "columns": ["name"]}, policy="report")
        answer = insert(world, rows(99, 21, start=5))
        assert (answer.status_code, answer.json["validation"]["rules_failed"]) == (200, 2)
        assert ages(world) == [20, 21, 30, 99]
        (report,) = reports(world)
        assert (report["passed"], report["table_version"]) == (False, 1)
        assert report["results"][1]["examples"] == [{"row": 0, "column": "name", "value": "ada"}]


class TestCreation:
    def test_strict_leaves_nothing_behind(self, world: World) -> None:
        refused = create(world, rows(20, 99), expectations={"rules": [ADULTS]})
        assert (refused.status_code, refused.json["code"]) == (422, "validation-failed")
        assert world.call("GET", GROUP, world.key("football")).status_code == 404
        with world.container.database.read() as session:
            assert session.scalar(select(func.count()).select_from(ValidationReport)) == 0
        assert create(world, expectations={"rules": [ADULTS]}).status_code == 201
        assert [(report["table_version"], report["rows"]) for report in reports(world)] == [(0, 2)]
        assert insert(world, rows(99)).status_code == 422

    def test_report_and_without_rows(self, world: World) -> None:
        assert create(world, rows(99), expectations={"policy": "report", "rules": [ADULTS]}).status_code == 201
        assert [report["passed"] for report in reports(world)] == [False]
        features = [{"name": "id", "type": "bigint"}]
        empty = {"name": "empty", "features": features, "expectations": {"rules": [{"rule": "row_count", "min": 1}]}}
        assert world.call("POST", GROUPS, world.key("football"), json=empty).status_code == 201
        assert world.call("GET", f"{GROUPS}/empty/versions/1/validations", world.key("football")).json["items"] == []

    def test_rules_that_do_not_fit(self, world: World) -> None:
        refused = create(world, expectations={"rules": [{"rule": "regex", "column": "age", "pattern": "1"}]})
        assert (refused.status_code, refused.json["code"]) == (422, "invalid-input")
        elsewhere = {
            "name": "far", "kind": "ON_DEMAND", "connector": "c", "query": "SELECT 1", "expectations": {"rules": [NAMED]},
        }  # fmt: skip
        refused = world.call("POST", GROUPS, world.key("football"), json=elsewhere)
        assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "expectations")


class TestOnce:
    def test_a_repeated_insert_has_one_report(self, world: World) -> None:
        create(world)
        expect(world, ADULTS, policy="report")
        first, again = (insert(world, rows(99), **{"Idempotency-Key": "twice-the-same"}) for _ in range(2))
        assert first.json == again.json
        assert len(reports(world)) == 1

    def test_an_insert_whose_answer_was_lost_is_not_rejected_afterwards(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its rows are in the table: rules that came in between change nothing about that."""
        create(world)
        expect(world, NAMED)
        key = {"Idempotency-Key": "committed-then-lost"}
        write = world.container.tables.write

        def lost(location: str, asked: Write) -> Any:
            write(location, asked)
            raise StorageUnavailableError("The answer was lost.")

        with monkeypatch.context() as broken:
            broken.setattr(world.container.tables, "write", lost)
            assert insert(world, rows(99, start=7), **key).status_code == 503
        expect(world, ADULTS)
        again = insert(world, rows(99, start=7), **key)
        assert (again.status_code, again.json["validation"]["passed"]) == (200, False)
        assert ages(world) == [20, 30, 99]
        assert [report["table_version"] for report in reports(world)] == [1]

    def test_the_rules_are_those_of_the_start(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        create(world)
        expect(world, NAMED)
        admitted, changed = threading.Event(), threading.Event()
        admit = ExpectationInspector.admit

        def slowly(self: ExpectationInspector, *args: Any) -> Any:
            admitted.set()
            assert changed.wait(10)
            return admit(self, *args)

        monkeypatch.setattr(ExpectationInspector, "admit", slowly)
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(insert(world, rows(99, start=7))))
        thread.start()
        assert admitted.wait(10)
        assert expect(world, ADULTS).status_code == 200
        changed.set()
        thread.join(30)
        assert answers[0].status_code == 200, answers[0].json
        assert [result["rule"] for result in reports(world)[0]["results"]] == ["not_null"]

    def test_a_group_deleted_meanwhile_takes_its_reports_with_it(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        create(world)
        expect(world, ADULTS)
        insert(world, rows(99))
        admit = ExpectationInspector.admit

        def too_late(self: ExpectationInspector, *args: Any) -> Any:
            world.container.feature_groups.delete(world.context("football"), "football", "players", 1)
            return admit(self, *args)

        monkeypatch.setattr(ExpectationInspector, "admit", too_late)
        assert insert(world, rows(99)).json["code"] == "validation-failed"
        with world.container.database.read() as session:
            assert session.scalar(select(func.count()).select_from(ValidationReport)) == 0


class TestReports:
    def test_the_latest_first_by_pages_and_not_for_ever(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(repository, "KEPT", 3)
        create(world)
        expect(world, NAMED)
        for start in range(5):
            insert(world, rows(start, start=start))
        assert [report["table_version"] for report in reports(world)] == [5, 4, 3]
        page = world.call("GET", f"{GROUP}/validations?limit=2", world.key("football")).json
        rest = world.call("GET", f"{GROUP}/validations?cursor={page['next_cursor']}", world.key("football")).json
        assert [len(page["items"]), len(rest["items"]), rest["next_cursor"]] == [2, 1, None]

    def test_examples_are_for_who_may_read_rows(self, world: World) -> None:
        create(world)
        expect(world, {"rule": "in_set", "column": "name", "values": ["ada"]}, policy="report")
        insert(world, rows(20, name=SECRET, start=5))
        browse = world.key("football", scopes=(Scope.FEATURESTORE_BROWSE,))
        refused = world.call("GET", f"{GROUP}/validations", browse)
        assert (refused.status_code, refused.json["code"]) == (403, "scope-missing")
        assert world.call("GET", f"{GROUP}/validations", world.key("rivals")).status_code == 404
        world.share("football", "rivals", ShareKind.TRAINING_DATASETS)
        refused = world.call("GET", f"{GROUP}/validations", world.key("rivals"))
        assert (refused.status_code, refused.json["code"]) == (404, "not-shared")

    def test_a_receiver_sees_neither_what_was_rejected_nor_who_inserted(self, world: World) -> None:
        create(world)
        expect(world, ADULTS)
        insert(world, rows(99, name=SECRET))
        insert(world, rows(20, start=5))
        world.share("football", "rivals", ShareKind.FEATURE_STORE)
        (seen,) = reports(world, world.key("rivals"))
        assert (seen["table_version"], seen["by"], seen["passed"]) == (1, None, True)
        assert len(reports(world)) == 2

    def test_an_insert_without_reading_shows_what_it_sent_itself(self, world: World) -> None:
        create(world)
        expect(world, ADULTS)
        writer = world.key("football", scopes=(Scope.FEATURESTORE_WRITE,))
        assert insert(world, rows(99), key=writer).json["errors"][0]["examples"][0]["value"] == "99"


class TestOfTheTable:
    def start(self, world: World, key: str | None = None, **headers: str) -> Any:
        return world.call("POST", f"{GROUP}/validations", key or world.key("football"), headers=headers)

    def test_rows_that_came_before_their_rules(self, world: World) -> None:
        create(world, rows(20, 99, name=SECRET))
        expect(world, ADULTS, {"rule": "unique", "columns": ["name"]}, {"rule": "row_count", "min": 1})
        started = self.start(world)
        assert (started.status_code, started.json["kind"], started.json["state"]) == (202, "validation", "queued")
        assert world.work() == 1
        (run,) = runs(world)
        assert (run["state"], run["error"]["code"]) == ("failed", "validation-failed")
        assert "adults" in run["error"]["detail"]
        assert SECRET not in str(run)
        assert run["attempt"] == 1
        (report,) = reports(world)
        assert (report["id"], report["of"], report["table_version"]) == (run["id"], "table", 0)
        assert report["results"][0]["examples"] == [{"row": None, "column": "age", "value": "99"}]
        assert report["results"][1]["examples"] == [{"row": None, "column": "name", "value": SECRET}]
        assert ages(world) == [20, 99]

    def test_rules_that_hold(self, world: World) -> None:
        create(world)
        expect(world, ADULTS)
        self.start(world)
        world.work()
        (run,) = runs(world)
        (report,) = reports(world)
        result = {"passed": True, "rows": 2, "rules": 1, "table_version": 0, "report": report["id"]}
        assert (run["state"], run["result"], run["error"]) == ("succeeded", result, None)

    def test_rows_that_were_replaced_are_not_looked_at(self, world: World) -> None:
        create(world, rows(99))
        insert(world, rows(20, 21), "overwrite")
        expect(world, ADULTS, {"rule": "row_count", "max": 2})
        self.start(world)
        world.work()
        assert runs(world)[0]["state"] == "succeeded"

    def test_freshness_on_a_schedule(self, world: World) -> None:
        moment = pa.array([world.clock.now()], pa.timestamp("us", "UTC"))
        create(world, pa.table({"id": [1], "at": moment}))
        expect(world, {"rule": "freshness", "column": "at", "max_age_seconds": 3600})
        job = {
            "kind": "validation", "arguments": {"feature_group": "players", "version": 1}, "schedule": "0 * * * *",
        }  # fmt: skip
        saved = world.call("PUT", "/projects/football/jobs/fresh", world.key("football"), json=job)
        assert saved.status_code == 200, saved.json
        world.call("POST", "/projects/football/jobs/fresh/runs", world.key("football"), json={})
        world.work()
        world.clock.ahead = timedelta(hours=2)
        assert world.container.scheduler.enqueue_due() == 1
        world.work()
        assert [run["state"] for run in runs(world)] == ["failed", "succeeded"]

    def test_without_rules_there_is_nothing_to_run(self, world: World) -> None:
        create(world)
        refused = self.start(world)
        assert (refused.status_code, refused.json["code"]) == (422, "invalid-input")
        job = {"kind": "validation", "arguments": {"feature_group": "players"}}
        world.call("PUT", "/projects/football/jobs/mine", world.key("football"), json=job)
        world.call("POST", "/projects/football/jobs/mine/runs", world.key("football"), json={})
        world.work()
        assert runs(world)[0]["error"]["code"] == "invalid-input"

    def test_it_takes_the_right_to_read_rows(self, world: World) -> None:
        """Rules are questions: who may ask them of a table learns what is in it."""
        create(world)
        expect(world, ADULTS)
        blind = world.key("football", scopes=(Scope.FEATURESTORE_MANAGE,))
        assert self.start(world, blind).json["code"] == "scope-missing"
        job = {"kind": "validation", "arguments": {"feature_group": "players"}}
        assert world.call("PUT", "/projects/football/jobs/mine", blind, json=job).status_code == 200
        world.call("POST", "/projects/football/jobs/mine/runs", blind, json={})
        world.work()
        assert runs(world)[0]["error"]["code"] == "scope-missing"
        assert reports(world) == []

    def test_it_is_started_once(self, world: World) -> None:
        create(world)
        expect(world, ADULTS)
        key = {"Idempotency-Key": uuid4().hex}
        assert self.start(world, **key).json["id"] == self.start(world, **key).json["id"]
        assert world.work() == 1

    def test_a_run_that_comes_again_has_one_report(self, world: World) -> None:
        create(world)
        expect(world, ADULTS)
        self.start(world)
        attempt = world.container.runs.take("dies", per_project=10)
        assert attempt is not None
        with pytest.MonkeyPatch.context() as dying:
            dying.setattr(world.container.execution, "_state", _die)
            with pytest.raises(KeyboardInterrupt):
                world.container.execution.execute(attempt)
        world.container.runs.lost(attempt)
        world.work()
        assert (runs(world)[0]["state"], runs(world)[0]["attempt"], len(reports(world))) == ("succeeded", 2, 1)


def _die(*_: Any) -> None:
    raise KeyboardInterrupt


def report_of(world: World, report_id: UUID, group_id: UUID, rows: int) -> ValidationReport:
    with world.container.database.read() as session:
        project_id = session.scalars(select(FeatureGroup.project_id).where(FeatureGroup.id == group_id)).one()
    return ValidationReport(
        id=report_id,
        project_id=project_id,
        feature_group_id=group_id,
        of="insert",
        policy="strict",
        passed=True,
        rows=rows,
        content={"results": []},
        at=world.clock.now(),
        by="ada",
    )


def test_attempts_that_end_at_once_leave_one_report(
    tmp_path: Path, postgres_url: str, local_warehouse: Warehouse
) -> None:
    world = make_world(tmp_path / "data", postgres_url, local_warehouse)
    world.projects("football")
    group_id = UUID(create(world).json["id"])
    together, report_id = threading.Barrier(6), uuid4()
    errors: list[Exception] = []

    def keep(rows: int) -> None:
        report = report_of(world, report_id, group_id, rows)
        together.wait(10)
        try:
            with world.container.database.write() as uow:
                repository.ValidationReportRepository(uow.session).keep(report)
                uow.commit()
        except Exception as error:  # noqa: BLE001 told below
            errors.append(error)

    threads = [threading.Thread(target=keep, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert len(reports(world)) == 1
    world.container.database.engine.dispose()


def test_on_postgresql_as_well(tmp_path: Path, postgres_url: str, local_warehouse: Warehouse) -> None:
    world = make_world(tmp_path / "data", postgres_url, local_warehouse)
    world.projects("football")
    create(world)
    expect(world, ADULTS, {"rule": "in_set", "column": "name", "values": ["ada"]})
    assert insert(world, rows(99, name="nul \x00 inside")).status_code == 422
    assert insert(world, rows(20, start=4)).status_code == 200
    assert [report["passed"] for report in reports(world)] == [True, False]
    assert world.call("DELETE", GROUP, world.key("football")).status_code == 204
    with world.container.database.read() as session:
        assert session.scalar(select(func.count()).select_from(ValidationReport)) == 0
    world.container.database.engine.dispose()
