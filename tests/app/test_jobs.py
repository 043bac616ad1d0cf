"""Jobs and the queue of their runs."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pyarrow as pa
import pytest
from sqlalchemy import make_url, select, update

from app.featurestore.jobs.errors import AttemptLostError
from app.featurestore.jobs.execution import RunExecution
from app.featurestore.jobs.handlers import JobKind, Run
from app.featurestore.jobs.infos import LineInfo
from app.featurestore.jobs.log import StoredRunLog
from app.featurestore.jobs.models import Job, JobRun, JobRunLine
from app.featurestore.jobs.queue import LEASE, MAX_ATTEMPTS, MOST_ATTEMPTS, Attempt, RunOrder, RunQueue
from app.featurestore.jobs.scheduler import Scheduler
from app.featurestore.jobs.schedules import next_time
from infra.database.paging import PageRequest
from infra.errors import InvalidInputError, UnavailableError
from infra.ids import new_id
from infra.registry import Registry
from infra.storage.location import Warehouse
from tenancy.actions import Action
from tenancy.principals import Role
from tenancy.scopes import Scope
from tests.frames import frame_request
from tests.lab.postgres import Postgres
from tests.world import World, make_world

JOBS, RUNS = "/projects/football/jobs", "/projects/football/runs"
DATASET = {
    "kind": "training_dataset",
    "arguments": {"name": "budgets", "query": {"features": ["team_id", "team_budget"]}},
}


@pytest.fixture
def football(world: World) -> World:
    """Project `football` with one feature group, and `rivals` with nothing."""
    world.projects("football", "rivals")
    table = pa.table({"team_id": [1, 2, 3], "team_budget": [1.0, 2.0, 3.0]})
    request = frame_request(table, {"name": "teams_features"})
    assert world.call("POST", "/projects/football/feature-groups", world.key("football"), **request).status_code == 201
    return world


def save(world: World, name: str = "budgets", **fields: Any) -> Any:
    return world.call("PUT", f"{JOBS}/{name}", world.key("football"), json={**DATASET, **fields})


def start(world: World, name: str = "budgets", **arguments: Any) -> Any:
    return world.call("POST", f"{JOBS}/{name}/runs", world.key("football"), json={"arguments": arguments})


def run_of(world: World, run_id: str) -> dict[str, Any]:
    answer = world.call("GET", f"{RUNS}/{run_id}", world.key("football"))
    assert answer.status_code == 200, answer.json
    return dict(answer.json)


class TestSaving:
    def test_a_job_is_kept_as_it_was_saved(self, football: World) -> None:
        saved = save(football, description="for the model", feature_groups=["teams_features_1"])
        assert saved.status_code == 200, saved.json
        job = football.call("GET", f"{JOBS}/budgets", football.key("football")).json
        assert job["kind"] == "training_dataset"
        assert job["description"] == "for the model"
        assert job["feature_groups"] == ["teams_features_1"]
        assert job["arguments"]["name"] == "budgets"
        assert job["arguments"]["version"] == 1
        assert (job["schedule"], job["next_run_at"], job["last_run"], job["revision"]) == (None, None, None, 1)

    def test_saved_again_it_changes(self, football: World) -> None:
        save(football)
        assert save(football, description="other").json["revision"] == 2
        assert football.call("GET", JOBS, football.key("football")).json["items"][0]["description"] == "other"

    def test_two_at_once_do_not_overwrite_each_other(self, football: World) -> None:
        save(football)
        answer = football.call(
            "PUT", f"{JOBS}/budgets", football.key("football"), json=DATASET, headers={"If-Match": '"7"'}
        )
        assert (answer.status_code, answer.json["type"]) == (412, "/problems/revision-stale")

    @pytest.mark.parametrize(
        ("body", "says"),
        [
            ({"kind": "nonsense"}, "nonsense"),
            ({"arguments": {"query": {"features": ["a"]}}}, "name"),
            ({"arguments": {"name": "x", "query": {"features": ["a"]}, "colour": 1}}, "colour"),
            ({"arguments": {"name": "x", "query": {"features": ["a"], "hue": 1}}}, "query.hue"),
            ({"arguments": {"name": "x"}}, "one of them"),
            ({"schedule": "61 * * * *"}, "61 * * * *"),
            ({"schedule": "@daily"}, "@daily"),
            ({"schedule": "0 0 30 2 *"}, "0 0 30 2 *"),
            ({"schedule": "0 0 * * *", "time_zone": "Europe/Atlantis"}, "Atlantis"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, football: World, body: dict[str, Any], says: str) -> None:
        answer = save(football, **body)
        assert answer.status_code == 422
        assert says in str(answer.json)
        assert football.call("GET", JOBS, football.key("football")).json["items"] == []

    def test_only_its_maker_or_an_owner_changes_or_deletes_it(self, football: World) -> None:
        save(football)
        football.member("football", "bob", Role.DATA_SCIENTIST)
        key = football.key("football", "bob")
        for method, options in (("PUT", {"json": DATASET}), ("DELETE", {})):
            answer = football.call(method, f"{JOBS}/budgets", key, **options)
            assert (answer.status_code, answer.json["type"]) == (403, "/problems/not-creator")

    def test_who_may_not_make_datasets_saves_no_job_that_does(self, football: World) -> None:
        weak = football.key("football", scopes=(Scope.FEATURESTORE_BROWSE,))
        assert football.call("PUT", f"{JOBS}/budgets", weak, json=DATASET).status_code == 403

    def test_a_stranger_finds_nothing(self, football: World) -> None:
        save(football)
        run = start(football).json["id"]
        key = football.key("rivals")
        for method, path in (
            ("GET", JOBS),
            ("GET", f"{JOBS}/budgets"),
            ("GET", RUNS),
            ("GET", f"{RUNS}/{run}"),
            ("GET", f"{RUNS}/{run}/log"),
            ("POST", f"{RUNS}/{run}/cancel"),
            ("POST", f"{RUNS}/{run}/retry"),
        ):
            assert football.call(method, path, key).status_code == 404, path
        elsewhere = football.call("GET", f"/projects/rivals/runs/{run}", key)
        assert (elsewhere.status_code, elsewhere.json["type"]) == (404, "/problems/run-not-found")


class TestRunning:
    def test_a_run_makes_what_it_says(self, football: World) -> None:
        save(football)
        started = start(football)
        assert started.status_code == 202
        assert (started.json["state"], started.json["trigger"], started.json["attempt"]) == ("queued", "manual", 0)
        assert football.work() == 1
        run = run_of(football, started.json["id"])
        assert run["state"] == "succeeded", run
        assert run["result"]["rows"] == 3
        assert (run["job"], run["requested_by"], run["attempt"]) == ("budgets", "ada", 1)
        made = football.call("GET", "/projects/football/training-datasets/budgets/versions/1", football.key("football"))
        assert (made.json["rows"], made.json["created_by"]) == (3, "ada")
        assert football.call("GET", f"{JOBS}/budgets", football.key("football")).json["last_run"]["id"] == run["id"]
        log = football.call("GET", f"{RUNS}/{run['id']}/log", football.key("football")).json["items"]
        assert [line["number"] for line in log] == [1]
        assert "3 rows" in log[0]["text"]

    def test_arguments_of_one_run_do_not_change_the_job(self, football: World) -> None:
        save(football)
        run = start(football, version=7).json
        assert run["arguments"]["version"] == 7
        football.work()
        assert run_of(football, run["id"])["result"]["version"] == 7
        assert football.call("GET", f"{JOBS}/budgets", football.key("football")).json["arguments"]["version"] == 1

    def test_one_run_of_a_job_at_a_time(self, football: World) -> None:
        save(football)
        start(football)
        again = start(football)
        assert (again.status_code, again.json["type"]) == (409, "/problems/job-running")

    def test_started_twice_under_one_key_it_runs_once(self, football: World) -> None:
        save(football)
        headers = {"Idempotency-Key": uuid4().hex}
        first, second = (
            football.call("POST", f"{JOBS}/budgets/runs", football.key("football"), json={}, headers=headers)
            for _ in range(2)
        )
        assert first.json["id"] == second.json["id"]
        assert second.status_code == 202
        assert football.work() == 1

    def test_a_failure_says_why_as_any_answer_does(self, football: World) -> None:
        save(football, arguments={"name": "budgets", "query": {"features": ["team_bugdet"]}})
        run_id = start(football).json["id"]
        football.work()
        run = run_of(football, run_id)
        assert (run["state"], run["error"]["code"]) == ("failed", "feature-not-found")
        assert "team_budget" in run["error"]["candidates"]

    def test_a_run_that_failed_can_be_tried_again(self, football: World) -> None:
        save(football, arguments={"name": "budgets", "query": {"features": ["missing"]}})
        run_id = start(football).json["id"]
        early = football.call("POST", f"{RUNS}/{run_id}/retry", football.key("football"))
        assert (early.status_code, early.json["type"]) == (409, "/problems/run-not-ended")
        football.work()
        retried = football.call("POST", f"{RUNS}/{run_id}/retry", football.key("football"))
        assert retried.status_code == 202
        assert retried.json["id"] != run_id
        football.work()
        assert run_of(football, retried.json["id"])["error"]["code"] == "feature-not-found"

    def test_nor_does_a_retry_make_two_runs_of_a_job(self, football: World) -> None:
        save(football)
        ended = start(football).json["id"]
        football.work()
        retries = [football.call("POST", f"{RUNS}/{ended}/retry", football.key("football")) for _ in range(2)]
        assert [(answer.status_code, answer.json.get("type")) for answer in retries] == [
            (202, None),
            (409, "/problems/job-running"),
        ]
        assert start(football, version=2).status_code == 409

    def test_nor_two_of_what_is_no_job_any_more(self, football: World) -> None:
        save(football)
        ended = start(football).json["id"]
        football.work()
        football.call("DELETE", f"{JOBS}/budgets", football.key("football"))
        retries = [football.call("POST", f"{RUNS}/{ended}/retry", football.key("football")) for _ in range(2)]
        assert [answer.status_code for answer in retries] == [202, 409]

    def test_a_waiting_run_is_cancelled_at_once(self, football: World) -> None:
        save(football)
        run_id = start(football).json["id"]
        cancelled = football.call("POST", f"{RUNS}/{run_id}/cancel", football.key("football"))
        assert cancelled.json["state"] == "cancelled"
        assert football.work() == 0
        again = football.call("POST", f"{RUNS}/{run_id}/cancel", football.key("football"))
        assert (again.status_code, again.json["type"]) == (409, "/problems/run-ended")

    def test_runs_are_listed_latest_first_and_by_what_they_are(self, football: World) -> None:
        save(football)
        ids = []
        for version in (1, 2, 3):
            ids.append(start(football, version=version).json["id"])
            football.work()
        key = football.key("football")
        assert [run["id"] for run in football.call("GET", RUNS, key).json["items"]] == ids[::-1]
        first = football.call("GET", f"{RUNS}?limit=2", key).json
        rest = football.call("GET", f"{RUNS}?limit=2&cursor={first['next_cursor']}", key).json
        assert [run["id"] for run in first["items"] + rest["items"]] == ids[::-1]
        assert football.call("GET", f"{RUNS}?state=failed", key).json["items"] == []
        assert len(football.call("GET", f"{RUNS}?job=budgets&kind=training_dataset", key).json["items"]) == 3
        assert football.call("GET", f"{RUNS}?state=asleep", key).status_code == 422
        assert football.call("GET", f"{RUNS}?cursor=WyJ4Il0", key).status_code == 422

    def test_a_deleted_job_leaves_its_history(self, football: World) -> None:
        save(football)
        run_id = start(football).json["id"]
        assert football.call("DELETE", f"{JOBS}/budgets", football.key("football")).status_code == 204
        run = run_of(football, run_id)
        assert (run["state"], run["job"]) == ("cancelled", "budgets")
        gone = football.call("GET", f"{JOBS}/budgets", football.key("football"))
        assert (gone.status_code, gone.json["type"]) == (404, "/problems/job-not-found")

    def test_the_log_is_read_on_from_a_line(self, football: World) -> None:
        save(football)
        run_id = start(football).json["id"]
        football.work()
        log = football.call("GET", f"{RUNS}/{run_id}/log?after=1", football.key("football"))
        assert log.json["items"] == []


class TestHistory:
    def test_old_runs_go_with_their_logs(self, football: World) -> None:
        save(football)
        save(football, "other", arguments={**DATASET["arguments"], "name": "others"})
        first = start(football).json["id"]
        football.work()
        football.clock.ahead = timedelta(days=50)
        for name in ("budgets", "other"):
            start(football, name, version=2)
        football.work()
        assert football.container.history.forget_old() == 0
        football.clock.ahead = timedelta(days=100)
        assert football.container.history.forget_old() == 1
        key = football.key("football", fresh=True)
        assert football.call("GET", f"{RUNS}/{first}", key).json["type"] == "/problems/run-not-found"
        with football.container.database.read() as session:
            assert first not in {str(line.run_id) for line in session.scalars(select(JobRunLine))}
        # The last one of each job stays; a job that is gone has none.
        football.clock.ahead = timedelta(days=500)
        assert football.container.history.forget_old() == 0
        assert football.call("DELETE", f"{JOBS}/other", football.key("football", fresh=True)).status_code == 204
        assert football.container.history.forget_old() == 1

    @pytest.mark.parametrize("fields", [{"state": "running"}, {"state": "queued"}, {"handle": "7"}], ids=str)
    def test_what_is_not_over_stays(self, football: World, fields: dict[str, Any]) -> None:
        save(football)
        start(football)
        football.work()
        football.call("DELETE", f"{JOBS}/budgets", football.key("football"))
        with football.container.database.write() as uow:
            uow.session.execute(update(JobRun).values(**fields))
            uow.commit()
        football.clock.ahead = timedelta(days=500)
        assert football.container.history.forget_old() == 0


class TestForWhom:
    def test_a_run_acts_with_the_role_of_its_member_now(self, football: World) -> None:
        football.member("football", "bob", Role.DATA_SCIENTIST)
        key = football.key("football", "bob")
        football.call("PUT", f"{JOBS}/bobs", key, json=DATASET)
        run_id = football.call("POST", f"{JOBS}/bobs/runs", key, json={}).json["id"]
        football.member("football", "bob", Role.VIEWER)
        football.work()
        assert run_of(football, run_id)["error"]["code"] == "role-too-low"

    def test_no_run_for_who_is_gone(self, football: World) -> None:
        football.member("football", "bob", Role.DATA_SCIENTIST)
        key = football.key("football", "bob")
        football.call("PUT", f"{JOBS}/bobs", key, json=DATASET)
        run_id = football.call("POST", f"{JOBS}/bobs/runs", key, json={}).json["id"]
        football.container.members.remove(football.operator, "football", "bob")
        football.work()
        assert run_of(football, run_id)["error"]["code"] == "requester-gone"

    def test_a_revoked_key_runs_nothing_more(self, football: World) -> None:
        key = football.key("football", fresh=True)
        football.call("PUT", f"{JOBS}/budgets", key, json=DATASET)
        run_id = football.call("POST", f"{JOBS}/budgets/runs", key, json={}).json["id"]
        football.container.api_keys.revoke(football.operator, "football", football.key_id(key))
        football.work()
        assert run_of(football, run_id)["error"]["code"] == "requester-gone"

    def test_a_schedule_outlives_the_key_that_saved_it(self, football: World) -> None:
        save(football, schedule="0 3 * * *")
        football.clock.ahead = timedelta(days=365 * 2)
        football.container.scheduler.enqueue_due()
        assert football.work() == 1
        runs = football.call("GET", RUNS, football.key("football", fresh=True)).json["items"]
        assert [(run["state"], run["trigger"]) for run in runs] == [("succeeded", "schedule")]


class TestSchedule:
    def test_what_was_missed_is_made_up_for_once(self, football: World) -> None:
        due = save(football, schedule="*/10 * * * *", time_zone="Europe/Stockholm").json["next_run_at"]
        assert datetime.fromisoformat(due) - datetime.now(UTC) <= timedelta(minutes=10)
        assert football.container.scheduler.enqueue_due() == 0
        football.clock.ahead = timedelta(hours=5)
        assert [football.container.scheduler.enqueue_due() for _ in range(2)] == [1, 0]

    def test_a_job_that_still_runs_is_not_started_again(self, football: World) -> None:
        save(football, schedule="*/10 * * * *")
        start(football)
        football.clock.ahead = timedelta(hours=1)
        assert football.container.scheduler.enqueue_due() == 0
        assert football.work() == 1

    def test_without_a_schedule_nothing_is_due(self, football: World) -> None:
        save(football, schedule="*/10 * * * *")
        assert save(football, schedule=None).json["next_run_at"] is None
        football.clock.ahead = timedelta(hours=1)
        assert football.container.scheduler.enqueue_due() == 0

    @pytest.mark.parametrize(
        "broken",
        [{"kind": "gone"}, {"arguments": {}}, {"time_zone": "Europe/Atlantis"}],
        ids=["kind", "arguments", "zone"],
    )
    def test_a_broken_job_keeps_no_other_from_its_time(self, football: World, broken: dict[str, Any]) -> None:
        """A kind that is no longer installed, arguments of an earlier release, a time zone that was renamed."""
        save(football, "wrong", schedule="*/10 * * * *")
        with football.container.database.write() as uow:
            uow.session.execute(update(Job).values(**broken))
            uow.commit()
        save(football, schedule="*/10 * * * *")
        for _ in range(2):
            football.clock.ahead += timedelta(hours=1)
            football.container.scheduler.enqueue_due()
            football.work()
        runs = football.call("GET", RUNS, football.key("football")).json["items"]
        assert [run["job"] for run in runs].count("budgets") == 2
        wrong = [run["error"] and run["error"]["code"] for run in runs if run["job"] == "wrong"]
        # What is wrong with a job shows in its runs; where it is the time, there is no next one until it is saved again.
        assert wrong == ([None] if "time_zone" in broken else ["invalid-input"] * 2)
        assert football.container.scheduler.enqueue_due() == 0

    def test_it_runs_in_the_name_of_who_saved_it_last(self, football: World) -> None:
        football.member("football", "bob", Role.DATA_SCIENTIST)
        bobs = football.call("PUT", f"{JOBS}/budgets", football.key("football", "bob"), json=DATASET)
        assert bobs.json["created_by"] == "bob"
        save(football, schedule="*/10 * * * *")
        football.clock.ahead = timedelta(hours=1)
        football.container.scheduler.enqueue_due()
        football.work()
        run = football.call("GET", RUNS, football.key("football")).json["items"][0]
        made = football.call("GET", "/projects/football/training-datasets/budgets/versions/1", football.key("football"))
        assert (run["requested_by"], made.json["created_by"]) == ("ada", "ada")

    @pytest.mark.parametrize("schedule", ["30 2 * * *", "*/30 2 * * *", "0 3 * * *", "59 1 * * *", "0 2,3 * * *"])
    @pytest.mark.parametrize("day", [datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC)])
    def test_the_next_time_is_always_later(self, schedule: str, day: datetime) -> None:
        """Around both changes of the clocks, at whatever minute it is asked; what is due in the past is due for ever."""
        for minutes in range(0, 480, 5):
            asked = day + timedelta(minutes=minutes)
            assert next_time(schedule, "Europe/Stockholm", asked) > asked

    @pytest.mark.parametrize(
        ("after", "due"),
        [
            (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC)),
            (datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
            (datetime(2026, 10, 25, 1, 10, tzinfo=UTC), datetime(2026, 10, 26, 1, 30, tzinfo=UTC)),
        ],
        ids=["skipped", "first-of-two", "second-of-two"],
    )
    def test_half_past_two_when_the_clocks_change(self, after: datetime, due: datetime) -> None:
        assert next_time("30 2 * * *", "Europe/Stockholm", after) == due


class Told:
    """A kind that does as the test says."""

    launches: Action | None = Action.JOB_RUN

    def __init__(self) -> None:
        self.does: list[Any] = []

    def accept(self, project: str, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 the port's signature
        return dict(arguments)

    def subject(self, project_id: UUID, arguments: Mapping[str, Any]) -> str:  # noqa: ARG002 the port's signature
        return str(arguments)

    def run(self, run: Run) -> dict[str, Any]:
        return self.does.pop(0)(run)  # type: ignore[no-any-return]


class Bench:
    """The queue with one kind of job, and no gateway around it."""

    def __init__(self, world: World) -> None:
        world.projects("football", "rivals")
        self.world, self.told = world, Told()
        kinds = Registry[JobKind]("oasthouse.job_kinds", {"told": self.told})
        shared = {"database": world.container.database, "clock": world.clock}
        self.queue = RunQueue(**shared, ids=new_id)  # type: ignore[arg-type]
        self.execution = RunExecution(**shared, queue=self.queue, ledger=world.container.ledger, kinds=kinds)  # type: ignore[arg-type]
        self.scheduler = Scheduler(**shared, queue=self.queue, kinds=kinds)  # type: ignore[arg-type]

    def order(self, subject: str = "a", project: str = "football") -> UUID:
        project_id = self.world.context(project).principal.project_id
        assert project_id is not None
        with self.world.container.database.write() as uow:
            order = RunOrder(project_id, "told", subject, {}, "system", "gateway")
            run = self.queue.enqueue(uow.session, order)
            uow.commit()
            return run.id

    def take(self, per_project: int = 10) -> Attempt | None:
        return self.queue.take("w", per_project=per_project)

    def must_take(self) -> Attempt:
        taken = self.take()
        assert taken is not None
        return taken

    def row(self, run_id: UUID) -> JobRun:
        with self.world.container.database.read() as session:
            return session.scalars(select(JobRun).where(JobRun.id == run_id)).one()

    def pass_lease(self) -> None:
        self.world.clock.ahead += LEASE + timedelta(seconds=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def bench(request: pytest.FixtureRequest, tmp_path: Path, local_warehouse: Warehouse) -> Iterator[Bench]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    world = make_world(tmp_path / "data", url, local_warehouse)
    yield Bench(world)
    world.container.database.engine.dispose()


class TestQueue:
    def test_the_oldest_first_and_each_once(self, bench: Bench) -> None:
        ids = [bench.order(subject) for subject in "abc"]
        assert [bench.must_take().run_id for _ in ids] == ids
        assert bench.take() is None

    def test_one_project_does_not_get_everything(self, bench: Bench) -> None:
        for subject in "ab":
            bench.order(subject)
        other = bench.order("c", "rivals")
        bench.take(per_project=1)
        taken = bench.take(per_project=1)
        assert taken is not None
        assert taken.run_id == other
        assert bench.take(per_project=1) is None

    def test_two_about_the_same_thing_follow_each_other(self, bench: Bench) -> None:
        bench.order("a")
        second = bench.order("a")
        first = bench.must_take()
        assert bench.take() is None
        bench.told.does = [lambda _run: {}]
        bench.execution.execute(first)
        assert bench.must_take().run_id == second

    def test_nor_do_many_workers_at_once_take_two_of_them(self, bench: Bench) -> None:
        for _ in range(16):
            bench.order("a")
        workers = [
            RunQueue(database=bench.world.container.database, clock=bench.world.clock, ids=new_id) for _ in "12345678"
        ]
        barrier = threading.Barrier(len(workers))

        def take(queue: RunQueue) -> Attempt | None:
            barrier.wait()
            return queue.take("w", per_project=10)

        with ThreadPoolExecutor(len(workers)) as threads:
            taken = [attempt for attempt in threads.map(take, workers) if attempt is not None]
        assert len(taken) == 1

    def test_projects_take_turns(self, bench: Bench) -> None:
        """However many runs one of them queued first, and though a worker has a single slot."""
        many = [bench.order(f"a{number}") for number in range(3)]
        few = bench.order("b", "rivals")
        taken = []
        for _ in range(4):
            attempt = bench.must_take()
            taken.append(attempt.run_id)
            bench.queue.fail(attempt, InvalidInputError("No."))
        assert taken == [many[0], few, *many[1:]]

    def test_every_worker_keeps_a_slot_for_others(self, bench: Bench) -> None:
        """What a project runs on one worker takes nothing from it on another."""
        for subject in "abc":
            bench.order(subject)
        assert bench.queue.take("one", per_project=1) is not None
        assert bench.queue.take("one", per_project=1) is None
        assert bench.queue.take("other", per_project=1) is not None

    def test_what_died_with_its_worker_is_taken_up_again(self, bench: Bench) -> None:
        run_id = bench.order()
        dead = bench.must_take()
        assert bench.queue.recover() == 0
        bench.pass_lease()
        assert bench.queue.recover() == 1
        again = bench.must_take()
        assert (again.run_id, again.number) == (run_id, 2)
        # The first one comes back to life: what it does must not count.
        with bench.world.container.database.write() as uow, pytest.raises(AttemptLostError):
            bench.queue.succeed(uow.session, dead, {})
        assert bench.queue.renew([dead, again]) == [dead]

    def test_it_is_not_tried_for_ever(self, bench: Bench) -> None:
        run_id = bench.order()
        for _ in range(MAX_ATTEMPTS):
            bench.queue.lost(bench.must_take())
        assert bench.take() is None
        row = bench.row(run_id)
        assert (row.state, row.error and row.error["code"]) == ("failed", "worker-lost")
        assert row.finished_at is not None

    def test_dying_with_its_worker_counts_for_less(self, bench: Bench) -> None:
        run_id = bench.order()
        for number in range(1, MOST_ATTEMPTS + 1):
            assert bench.must_take().number == number
            bench.pass_lease()
            assert bench.queue.recover() == 1
        assert bench.take() is None
        assert bench.row(run_id).state == "failed"

    def test_a_lease_that_is_renewed_holds(self, bench: Bench) -> None:
        bench.order()
        attempt = bench.must_take()
        for _ in range(3):
            bench.world.clock.ahead += LEASE / 2
            assert bench.queue.renew([attempt]) == []
            assert bench.queue.recover() == 0
        assert bench.queue.renew([]) == []

    def test_a_run_under_way_hears_that_it_was_cancelled(self, bench: Bench) -> None:
        run_id = bench.order()
        attempt = bench.must_take()
        with bench.world.container.database.write() as uow:
            uow.session.get_one(JobRun, run_id).cancel_requested = True
            uow.commit()
        assert bench.queue.renew([attempt]) == [attempt]
        bench.queue.end_cancelled(attempt)
        assert bench.row(run_id).state == "cancelled"
        bench.queue.end_cancelled(attempt)

    def test_cancelled_and_dead_is_cancelled(self, bench: Bench) -> None:
        run_id = bench.order()
        attempt = bench.must_take()
        with bench.world.container.database.write() as uow:
            uow.session.get_one(JobRun, run_id).cancel_requested = True
            uow.commit()
        bench.queue.lost(attempt)
        assert bench.row(run_id).state == "cancelled"

    def test_given_back_it_costs_no_attempt(self, bench: Bench) -> None:
        run_id = bench.order()
        bench.queue.give_back(bench.must_take())
        assert bench.must_take().run_id == run_id
        assert bench.row(run_id).max_attempts == MAX_ATTEMPTS + 1

    def test_waiting_already_it_is_not_asked_for_again(self, bench: Bench) -> None:
        run_id = bench.order()
        row = bench.row(run_id)
        order = RunOrder(row.project_id, "told", "a", {}, "system", "gateway")
        for _ in range(2):
            with bench.world.container.database.write() as uow:
                bench.queue.enqueue_unless_waiting(uow.session, order)
                uow.commit()
        bench.must_take()
        with bench.world.container.database.write() as uow:
            bench.queue.enqueue_unless_waiting(uow.session, order)
            uow.commit()
        with bench.world.container.database.read() as session:
            assert len(session.scalars(select(JobRun)).all()) == 2


class TestExecution:
    def test_the_result_is_kept(self, bench: Bench) -> None:
        run_id = bench.order()
        bench.told.does = [lambda run: {"project": run.project, "kind": run.kind}]
        bench.execution.execute(bench.must_take())
        row = bench.row(run_id)
        assert (row.state, row.result) == ("succeeded", {"project": "football", "kind": "told"})

    def test_what_may_pass_is_tried_again_later(self, bench: Bench) -> None:
        run_id = bench.order()

        def away(_run: Run) -> dict[str, Any]:
            raise UnavailableError("The bucket does not answer.")

        bench.told.does = [away, lambda _run: {"at": "last"}]
        bench.execution.execute(bench.must_take())
        assert bench.row(run_id).state == "queued"
        assert bench.take() is None
        bench.world.clock.ahead += timedelta(minutes=1)
        bench.execution.execute(bench.must_take())
        assert bench.row(run_id).result == {"at": "last"}

    def test_what_is_wrong_is_not(self, bench: Bench) -> None:
        run_id = bench.order()

        def wrong(_run: Run) -> dict[str, Any]:
            raise InvalidInputError("No such thing.", hint="Name another.", candidates=["b"])

        bench.told.does = [wrong]
        bench.execution.execute(bench.must_take())
        row = bench.row(run_id)
        assert row.state == "failed"
        assert row.error == {
            "code": "invalid-input",
            "title": "The request is not valid",
            "detail": "No such thing.",
            "hint": "Name another.",
            "candidates": ["b"],
        }

    def test_what_nobody_foresaw_shows_no_values(self, bench: Bench) -> None:
        run_id = bench.order()

        def broken(_run: Run) -> dict[str, Any]:
            raise ValueError("the password is hunter2")

        bench.told.does = [broken]
        bench.execution.execute(bench.must_take())
        row = bench.row(run_id)
        assert row.error is not None
        assert row.error["code"] == "internal-error"
        assert "hunter2" not in str(row.error)

    def test_an_attempt_that_was_lost_changes_nothing(self, bench: Bench) -> None:
        run_id = bench.order()
        attempt = bench.must_take()

        def overtaken(_run: Run) -> dict[str, Any]:
            bench.pass_lease()
            bench.queue.recover()
            bench.must_take()
            return {"by": "the first"}

        bench.told.does = [overtaken]
        bench.execution.execute(attempt)
        row = bench.row(run_id)
        assert (row.state, row.attempt, row.result) == ("running", 2, None)

    def test_two_that_write_one_log_do_not_fail_each_other(self, bench: Bench) -> None:
        """An attempt that was lost and does not know it yet, two workers that stop the same program."""
        run_id = bench.order()
        attempt = bench.must_take()
        logs = [StoredRunLog(bench.world.container.database, bench.queue, bench.world.clock, attempt) for _ in "1234"]

        def talk(log: StoredRunLog) -> None:
            for number in range(25):
                log.line(f"line {number}")

        with ThreadPoolExecutor(len(logs)) as threads:
            list(threads.map(talk, logs))
        assert [line.number for line in self.lines(bench, run_id)] == list(range(1, 101))

    def test_a_lost_attempt_says_nothing_more(self, bench: Bench) -> None:
        run_id = bench.order()
        lost = bench.must_take()
        bench.queue.lost(lost)
        current = bench.must_take()
        for attempt in (lost, current):
            StoredRunLog(bench.world.container.database, bench.queue, bench.world.clock, attempt).line(
                f"attempt {attempt.number}"
            )
        assert [line.text for line in self.lines(bench, run_id)] == ["attempt 2"]

    def lines(self, bench: Bench, run_id: UUID) -> list[LineInfo]:
        page = PageRequest(limit=500, cursor=None)
        return list(
            bench.world.container.jobs.read_log(bench.world.context("football"), "football", run_id, page).items
        )

    def test_progress_and_lines(self, bench: Bench) -> None:
        run_id = bench.order()

        def talks(run: Run) -> dict[str, Any]:
            for rows in range(5):
                run.log.progress("reading", rows, rows * 8)
            run.log.progress("writing", 99, 12)
            for number in range(2_005):
                run.log.line(f"line {number}")
            return {}

        bench.told.does = [talks]
        bench.execution.execute(bench.must_take())
        row = bench.row(run_id)
        assert (row.stage, row.rows, row.bytes) == ("writing", 99, 12)
        page = PageRequest(limit=500, cursor=None)
        log = bench.world.container.jobs.read_log(bench.world.context("football"), "football", run_id, page, 1_990)
        assert [line.number for line in log.items] == list(range(1_991, 2_001))
        assert log.items[-1].text == "There are more lines; they are left out."


@pytest.mark.parametrize("does", ["succeeds", "fails"])
def test_an_outage_at_its_end_undoes_no_run(
    postgres: Postgres, tmp_path: Path, local_warehouse: Warehouse, does: str
) -> None:
    """What took hours must not be lost to the seconds in which a database moves to another machine."""
    with postgres.fresh_database() as url, psycopg.connect(postgres.uri, autocommit=True) as operator:
        bench = Bench(make_world(tmp_path / "data", url, local_warehouse))
        name, waited = make_url(url).database, list[float]()

        def allow(*, connections: bool) -> None:
            operator.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS {connections}")  # type: ignore[arg-type]  # made above
            operator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

        def pause(seconds: float) -> None:
            waited.append(seconds)
            allow(connections=len(waited) >= 3)

        def act(_run: Run) -> dict[str, Any]:
            allow(connections=False)
            if does == "fails":
                raise InvalidInputError("No such thing.")
            return {"done": True}

        bench.execution._pause = pause
        bench.told.does = [act]
        run_id = bench.order()
        bench.execution.execute(bench.must_take())
        row = bench.row(run_id)
        assert (row.state, row.attempt) == ({"succeeds": "succeeded", "fails": "failed"}[does], 1)
        assert len(waited) == 3
        bench.world.container.database.engine.dispose()
