"""Programs of the operator's list, run as jobs."""

import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import select

from app.bootstrap import build_container
from app.checks import run_checks
from app.featurestore.jobs.models import JobRun
from app.featurestore.jobs.program_kind import ProgramKind
from app.featurestore.jobs.queue import LEASE
from app.settings import JobSettings
from infra.errors import UnavailableError
from infra.ports.executors import ProgramsNotValidError
from infra.storage.location import Warehouse
from tenancy.principals import Role
from tests.docs.pages import fences, read
from tests.frames import frame_request
from tests.lab.databricks import JOB, TOKEN, Workspace, running_workspace
from tests.world import World, make_world

JOBS, RUNS = "/projects/football/jobs", "/projects/football/runs"
PROGRAMS = f"""
[compute_players]
projects = ["football"]
executor = "local"
command = ["{sys.executable}", "-c", "import sys; print('computing', *sys.argv[1:]); sys.exit(len(sys.argv) > 2)"]
arguments = "any"

[fixed]
projects = ["football", "rivals"]
executor = "local"
command = ["/bin/true"]
repeatable = true

[secretive]
projects = ["rivals"]
executor = "local"
command = ["/bin/true"]

[nightly]
projects = ["football"]
executor = "databricks"
host = "%s"
job_id = {JOB}
token = "env:OAST_SECRET_DATABRICKS"
arguments = "any"
look_seconds = 0.01
"""

MakeWorld = Callable[[str], World]


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with running_workspace() as workspace:
        yield workspace


@pytest.fixture
def make(tmp_path: Path, local_warehouse: Warehouse) -> Iterator[MakeWorld]:
    made: list[World] = []

    def world_with(programs: str) -> World:
        path = tmp_path / "programs.toml"
        path.write_text(programs)
        made.append(make_world(tmp_path / "data", None, local_warehouse, jobs=JobSettings(programs=path)))
        return made[-1]

    yield world_with
    for world in made:
        world.container.database.engine.dispose()


@pytest.fixture
def football(make: MakeWorld, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("OAST_SECRET_DATABRICKS", TOKEN)
    world = make(PROGRAMS % workspace.address)
    world.projects("football", "rivals")
    return world


def save(world: World, program: str = "compute_players", **fields: Any) -> Any:
    arguments = {"program": program, **fields.pop("arguments", {})}
    body = {"kind": "program", "arguments": arguments, **fields}
    return world.call("PUT", f"{JOBS}/players", world.key("football"), json=body)


def start(world: World, **arguments: Any) -> str:
    answer = world.call("POST", f"{JOBS}/players/runs", world.key("football"), json={"arguments": arguments})
    assert answer.status_code == 202, answer.json
    return str(answer.json["id"])


def run_of(world: World, run_id: str) -> dict[str, Any]:
    return dict(world.call("GET", f"{RUNS}/{run_id}", world.key("football")).json)


def log_of(world: World, run_id: str) -> list[str]:
    items = world.call("GET", f"{RUNS}/{run_id}/log", world.key("football")).json["items"]
    return [line["text"] for line in items]


def handle_of(world: World, run_id: str) -> str | None:
    with world.container.database.read() as session:
        return next(run.handle for run in session.scalars(select(JobRun)) if str(run.id) == run_id)


def cancel(world: World, run_id: str) -> None:
    assert world.call("POST", f"{RUNS}/{run_id}/cancel", world.key("football")).status_code == 200


class TestList:
    def test_a_project_sees_its_own(self, football: World) -> None:
        answer = football.call("GET", "/projects/football/programs", football.key("football"))
        assert answer.json == {
            "items": [
                {"name": "compute_players", "executor": "local", "arguments": "any"},
                {"name": "fixed", "executor": "local", "arguments": "none"},
                {"name": "nightly", "executor": "databricks", "arguments": "any"},
            ],
            "next_cursor": None,
        }
        assert football.call("GET", "/projects/football/programs", football.key("rivals")).status_code == 404

    def test_another_projects_program_answers_as_none(self, football: World) -> None:
        foreign, absent = save(football, "secretive").json, save(football, "nowhere_at_all").json
        assert (foreign["code"], absent["code"]) == ("program-not-found", "program-not-found")
        assert foreign["detail"].replace("secretive", "nowhere_at_all") == absent["detail"]
        assert foreign["candidates"] == absent["candidates"] == ["compute_players", "fixed", "nightly"]
        assert save(football, "compute_player").json["candidates"] == ["compute_players"]

    @pytest.mark.parametrize(
        ("program", "arguments"),
        [
            ("fixed", ["--season"]),
            ("compute_players", ["nul\0"]),
            ("compute_players", ["\ud800"]),
            ("compute_players", ["x" * 1_001]),
            ("compute_players", ["x"] * 101),
            ("compute_players", [1]),
            ("compute_players", "one"),
        ],
    )
    def test_arguments_that_are_not_taken(self, football: World, program: str, arguments: Any) -> None:
        answer = save(football, program, arguments={"arguments": arguments})
        assert (answer.status_code, answer.json["code"]) == (422, "invalid-input")
        assert "arguments" in answer.json["errors"][0]["field"]


class TestLocal:
    def test_success_with_its_output(self, football: World) -> None:
        save(football, arguments={"arguments": ["2019"]})
        run_id = start(football)
        football.work()
        run = run_of(football, run_id)
        assert run["state"] == "succeeded", run
        assert run["result"] == {"program": "compute_players", "executor": "local", "outcome": "exit code 0"}
        assert run["max_attempts"] == 1
        assert log_of(football, run_id) == ["computing 2019"]

    def test_failure_with_its_code(self, football: World) -> None:
        save(football)
        run_id = start(football, arguments=["a", "b"])
        football.work()
        run = run_of(football, run_id)
        assert (run["state"], run["error"]["code"], run["attempt"]) == ("failed", "program-failed", 1)
        assert run["error"]["detail"] == "Program 'compute_players' failed: exit code 1."

    def test_keys_in_the_output_are_not_shown(self, football: World) -> None:
        key = football.key("football", fresh=True)
        save(football, arguments={"arguments": [key[:30] + "\x1b[31m" + key[30:]]})
        run_id = start(football)
        football.work()
        assert key[-20:] not in log_of(football, run_id)[0]

    def test_what_was_begun_is_not_begun_again(self, football: World) -> None:
        save(football)
        run_id = start(football)
        attempt = football.container.runs.take("w", per_project=1)
        assert attempt is not None
        football.container.runs.give_back(attempt)
        run = run_of(football, run_id)
        assert (run["state"], run["error"]["code"]) == ("failed", "worker-stopped")

    def test_unless_the_operator_says_so(self, football: World) -> None:
        save(football, "fixed")
        run_id = start(football)
        attempt = football.container.runs.take("w", per_project=1)
        assert attempt is not None
        football.container.runs.give_back(attempt)
        assert football.work() == 1
        run = run_of(football, run_id)
        assert (run["state"], run["attempt"]) == ("succeeded", 2)

    def test_it_runs_with_the_role_of_its_member_now(self, football: World) -> None:
        football.member("football", "bob", Role.DATA_SCIENTIST)
        key = football.key("football", "bob")
        football.call("PUT", f"{JOBS}/bobs", key, json={"kind": "program", "arguments": {"program": "fixed"}})
        run_id = football.call("POST", f"{JOBS}/bobs/runs", key, json={}).json["id"]
        football.member("football", "bob", Role.VIEWER)
        football.work()
        assert run_of(football, run_id)["error"]["code"] == "role-too-low"

    def test_the_groups_that_it_computes_show_it(self, football: World) -> None:
        request = frame_request(pa.table({"id": [1]}), {"name": "players_features"})
        key = football.key("football")
        assert football.call("POST", "/projects/football/feature-groups", key, **request).status_code == 201
        save(football, feature_groups=["players_features_1", "later_2", "no label"])
        for _ in range(2):
            start(football)
            football.work()
        group = football.call("GET", "/projects/football/feature-groups/players_features/versions/1", key).json
        assert group["jobs"] == ["players"]

    def test_a_program_that_is_no_longer_listed(self, football: World) -> None:
        save(football, schedule="0 3 * * *")
        path = football.container.settings.jobs.programs
        assert path is not None
        path.write_text("")
        later = build_container(football.container.settings, football.clock)
        football.clock.ahead = timedelta(days=2)
        assert later.scheduler.enqueue_due() == 1
        attempt = later.runs.take("w", per_project=1)
        assert attempt is not None
        later.execution.execute(attempt)
        run = run_of(football, str(attempt.run_id))
        assert run["error"]["code"] == "program-not-found"
        later.database.engine.dispose()


class TestRemote:
    """Databricks in the place of whatever outlives its run's process."""

    @pytest.fixture
    def ends(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """How the workspace's runs end, once each was looked at."""
        endings = ["SUCCESS"]
        get = workspace._get

        def look(asked: dict[str, Any]) -> Any:
            answer = get(asked)
            workspace.end(int(asked["run_id"]), endings[0])
            return answer

        monkeypatch.setattr(workspace, "_get", look)
        return endings

    def begun(self, world: World) -> str:
        """A run whose worker died after it had started its program."""
        save(world, "nightly", arguments={"arguments": ["--season", "2019"]})
        run_id = start(world)
        attempt = world.container.runs.take("w", per_project=1)
        assert attempt is not None
        world.container.runs.keep_handle(attempt, "?")
        return run_id

    def lose(self, world: World) -> None:
        world.clock.ahead += LEASE * 2
        assert world.container.runs.recover() == 1

    @pytest.mark.usefixtures("ends")
    def test_success(self, football: World, workspace: Workspace) -> None:
        save(football, "nightly", arguments={"arguments": ["--season", "2019"]})
        run_id = start(football)
        football.work()
        run = run_of(football, run_id)
        assert (run["state"], run["result"]["outcome"], run["max_attempts"]) == ("succeeded", "TERMINATED SUCCESS", 3)
        assert [made["python_params"] for made in workspace.runs.values()] == [["--season", "2019"]]
        assert handle_of(football, run_id) is None
        assert log_of(football, run_id)[-1] == "TERMINATED SUCCESS"

    def test_failure(self, football: World, ends: list[str]) -> None:
        ends[:] = ["FAILED"]
        save(football, "nightly")
        run_id = start(football)
        football.work()
        assert run_of(football, run_id)["error"]["code"] == "program-failed"
        assert handle_of(football, run_id) is None

    @pytest.mark.usefixtures("ends")
    def test_an_outage_is_waited_for(self, football: World, workspace: Workspace) -> None:
        save(football, "nightly")
        run_id = start(football)
        answer = workspace.answer

        def busy_once(method: str, path: str, *rest: Any) -> Any:
            if path.endswith("get") and "get" not in workspace.calls:
                workspace.faults = [429]
            return answer(method, path, *rest)

        workspace.answer = busy_once  # type: ignore[method-assign]
        football.work()
        assert run_of(football, run_id)["state"] == "succeeded"
        assert "Databricks answers 429. It will be asked again." in log_of(football, run_id)

    @pytest.mark.usefixtures("ends")
    def test_not_started_it_is_tried_again_later(self, football: World, workspace: Workspace) -> None:
        workspace.faults = [503]
        save(football, "nightly")
        run_id = start(football)
        football.work()
        assert (run_of(football, run_id)["state"], handle_of(football, run_id)) == ("queued", "?")
        football.clock.ahead = timedelta(minutes=1)
        football.work()
        assert run_of(football, run_id)["state"] == "succeeded"

    def test_an_outage_is_not_waited_for_for_ever(self, football: World, workspace: Workspace) -> None:
        kind, waited = football.container.execution._kinds.load("program"), list[float]()
        assert isinstance(kind, ProgramKind)
        kind._pause = waited.append
        save(football, "nightly")
        run_id = start(football)
        answer = workspace._run_now

        def started_and_away(asked: dict[str, Any]) -> Any:
            workspace.faults = [503] * 100
            return answer(asked)

        workspace._run_now = started_and_away  # type: ignore[method-assign]
        football.work()
        run = run_of(football, run_id)
        assert (run["state"], run["error"]["code"]) == ("queued", "executor-unreachable")
        assert sum(waited) == 900
        assert handle_of(football, run_id) == str(next(iter(workspace.runs)))

    def test_refused_it_leaves_nothing_to_stop(self, football: World, workspace: Workspace) -> None:
        workspace.tokens.clear()
        save(football, "nightly")
        run_id = start(football)
        football.work()
        assert run_of(football, run_id)["error"]["code"] == "executor-refused"
        assert TOKEN not in str(run_of(football, run_id)) + str(log_of(football, run_id))
        assert handle_of(football, run_id) is None

    @pytest.mark.usefixtures("ends")
    def test_after_a_crash_the_same_run_is_followed(self, football: World, workspace: Workspace) -> None:
        run_id = self.begun(football)
        self.lose(football)
        football.work()
        assert run_of(football, run_id)["state"] == "succeeded"
        assert len(workspace.runs) == 1

    @pytest.mark.usefixtures("ends")
    def test_given_back_it_goes_on_and_is_found_again(self, football: World, workspace: Workspace) -> None:
        save(football, "nightly")
        run_id = start(football)
        attempt = football.container.runs.take("w", per_project=1)
        assert attempt is not None
        handle = workspace._run_now({"job_id": JOB, "idempotency_token": "an earlier attempt's"})[1]["run_id"]
        football.container.runs.keep_handle(attempt, str(handle))
        football.container.runs.give_back(attempt)
        assert football.container.execution.stop_left_behind() == 0
        football.work()
        assert run_of(football, run_id)["state"] == "succeeded"
        assert "Attempt 2 goes on with what runs already." in log_of(football, run_id)
        assert (len(workspace.runs), "run-now" in workspace.calls) == (1, False)

    def test_cancelled_it_is_stopped_there(self, football: World, workspace: Workspace) -> None:
        """Even where it was cancelled while nobody had it in hand."""
        run_id = self.begun(football)
        self.lose(football)
        cancel(football, run_id)
        football.clock.ahead += timedelta(minutes=1)
        assert football.container.execution.stop_left_behind() == 1
        assert [made["state"]["result_state"] for made in workspace.runs.values()] == ["CANCELED"]
        assert handle_of(football, run_id) is None
        assert football.container.execution.stop_left_behind() == 0
        assert log_of(football, run_id)[-1] == "What still ran elsewhere was told to stop."

    def test_cancelled_while_it_waits_it_is_stopped_at_once(self, football: World, workspace: Workspace) -> None:
        """It was to be looked at again after a while; now there is nothing to wait for."""
        save(football, "nightly")
        run_id = start(football)
        attempt = football.container.runs.take("w", per_project=1)
        assert attempt is not None
        football.container.runs.keep_handle(attempt, "?")
        football.container.runs.fail(attempt, UnavailableError("Databricks answers 503."))
        cancel(football, run_id)
        assert football.container.execution.stop_left_behind() == 1
        assert [made["state"]["result_state"] for made in workspace.runs.values()] == ["CANCELED"]

    def test_withdrawn_from_the_project_it_is_stopped_too(self, football: World, workspace: Workspace) -> None:
        """What the operator takes from a project must not go on there because of that."""
        run_id = self.begun(football)
        path = football.container.settings.jobs.programs
        assert path is not None
        own = '[nightly]\nprojects = ["football"]'
        assert own in path.read_text()
        path.write_text(path.read_text().replace(own, '[nightly]\nprojects = ["rivals"]'))
        later = build_container(football.container.settings, football.clock)
        self.lose(football)
        attempt = later.runs.take("w", per_project=1)
        assert attempt is not None
        later.execution.execute(attempt)
        assert run_of(football, run_id)["error"]["code"] == "program-not-found"
        assert later.execution.stop_left_behind() == 1
        assert [made["state"]["result_state"] for made in workspace.runs.values()] == ["CANCELED"]
        assert handle_of(football, run_id) is None
        later.database.engine.dispose()

    def test_nothing_is_started_here_to_be_stopped(self, football: World, tmp_path: Path) -> None:
        """The operator has moved the program to the worker's machine meanwhile."""
        run_id = self.begun(football)
        self.lose(football)
        cancel(football, run_id)
        path, trace = football.container.settings.jobs.programs, tmp_path / "started"
        assert path is not None
        moved = path.read_text().partition("[nightly]")[0]
        moved += f'[nightly]\nprojects = ["football"]\nexecutor = "local"\ncommand = ["/usr/bin/touch", "{trace}"]\n'
        path.write_text(moved + 'arguments = "any"\n')
        later = build_container(football.container.settings, football.clock)
        football.clock.ahead += timedelta(minutes=1)
        assert later.execution.stop_left_behind() == 1
        assert handle_of(football, run_id) == "?"
        assert not trace.exists()
        later.database.engine.dispose()

    def test_what_cannot_be_stopped_now_is_stopped_later(self, football: World, workspace: Workspace) -> None:
        run_id = self.begun(football)
        self.lose(football)
        cancel(football, run_id)
        football.clock.ahead += timedelta(minutes=1)
        workspace.faults = [500]
        assert football.container.execution.stop_left_behind() == 1
        assert (handle_of(football, run_id), football.container.execution.stop_left_behind()) == ("?", 0)
        football.clock.ahead += timedelta(minutes=2)
        assert football.container.execution.stop_left_behind() == 1
        assert handle_of(football, run_id) is None

    def test_but_not_for_ever(self, football: World, workspace: Workspace) -> None:
        run_id = self.begun(football)
        self.lose(football)
        cancel(football, run_id)
        football.clock.ahead += timedelta(days=2)
        workspace.faults = [500]
        assert football.container.execution.stop_left_behind() == 1
        assert handle_of(football, run_id) is None


class TestAllowList:
    @pytest.mark.parametrize(
        ("programs", "says"),
        [
            ("[a", "is no TOML"),
            ("a = 1", "a: is no table"),
            ("[A]\nprojects = ['football']\nexecutor = 'local'", "A: a name is"),
            ("[a]\nexecutor = 'local'\ncommand = ['/x']", "a, projects: must list"),
            ("[a]\nprojects = ['*']\nexecutor = 'local'\ncommand = ['/x']", "a, projects: must be names"),
            ("[a]\nprojects = ['football']\ncommand = ['/x']", "a, executor: must be the name"),
            ("[a]\nprojects = ['football']\nexecutor = 'ssh'", "(databricks, local, sagemaker)"),
            ("[a]\nprojects = ['football']\nexecutor = 'local'\ncommand = ['x']", "a, command: must begin with"),
            ("[a]\nprojects = ['football']\nexecutor = 'local'\ncommand = ['/x']\nargs = 1", "a, args: "),
            (
                "[a]\nprojects = ['football']\nexecutor = 'local'\ncommand = ['/x']\narguments = true",
                "a, arguments: must",
            ),
            (
                "[a]\nprojects = ['football']\nexecutor = 'local'\ncommand = ['/x']\nrepeatable = 1",
                "a, repeatable: must",
            ),
        ],
    )
    def test_what_makes_no_sense_names_program_and_field(self, make: MakeWorld, programs: str, says: str) -> None:
        with pytest.raises(ProgramsNotValidError) as caught:
            make(programs)
        assert says in caught.value.detail

    def test_every_wrong_field_at_once(self, make: MakeWorld) -> None:
        with pytest.raises(ProgramsNotValidError) as caught:
            make("[a]\nexecutor = 'local'\n[b]\nprojects = ['football']")
        assert [each["field"] for each in caught.value.errors] == ["a.projects", "b.executor"]

    def test_a_file_that_is_not_there_or_anybodys(self, tmp_path: Path, world: World) -> None:
        with pytest.raises(ProgramsNotValidError, match="cannot be read"):
            build_container(world.container.settings.model_copy(update={"jobs": JobSettings(programs=tmp_path / "no")}))
        (tmp_path / "open.toml").write_text("")
        (tmp_path / "open.toml").chmod(0o666)
        with pytest.raises(ProgramsNotValidError, match="Everybody may write"):
            build_container(
                world.container.settings.model_copy(update={"jobs": JobSettings(programs=tmp_path / "open.toml")})
            )

    def test_the_example_of_the_documentation_is_valid(self, make: MakeWorld) -> None:
        (example,) = fences(read("docs/jobs.md"), "toml")
        listed = make(example).container.programs
        assert listed.count == 5

    def test_doctor_counts_them(self, football: World) -> None:
        check = next(check for check in run_checks(football.container) if check.name == "programs")
        assert check.passed
        assert check.detail.endswith("programs.toml: 4")
