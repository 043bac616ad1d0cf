"""Jobs and runs: saved, started, waited for, cancelled, against a gateway and its queue."""

import io
import logging
import pickle

import pandas as pd
import pytest

from hops import job as job_module
from hops.featurestore import default, errors
from hops.featurestore.errors import InvalidInputError
from hops.featurestore.progress import RunProgress
from hops.featurestore.retries import RetryPolicy
from tests.cloud_sdk.background import working
from tests.cloud_sdk.gateway import json_reply, page, problem

FRAME = pd.DataFrame({"team_id": [1, 2, 3], "team_budget": [1.5, 2.5, 3.5]})
QUERY = {"name": "budgets", "query": {"features": ["team_budget"]}}
RUNS = "/projects/football/runs"
RUN = {"id": "0197-r", "project": "football", "job": "budgets", "kind": "training_dataset", "state": "queued"}


@pytest.fixture
def live(live_world):
    """The module, connected to a gateway with one feature group."""
    import hops.featurestore as fs

    live_world.projects("football", "rivals")
    connection = live_world.connect("football")
    default.use_connection(connection)
    fs.create_featuregroup(FRAME, "teams_features")
    yield fs
    default.forget_connection()
    connection.close()


class TestJobs:
    def test_made_changed_listed_and_deleted(self, live):
        made = live.create_job(
            "budgets", "training_dataset", QUERY, schedule="15 3 * * *", time_zone="Europe/Stockholm"
        )
        assert (made.name, made.kind, made.schedule, made.last_run) == (
            "budgets",
            "training_dataset",
            "15 3 * * *",
            None,
        )
        assert repr(made) == "Job 'budgets' of kind 'training_dataset', at '15 3 * * *' Europe/Stockholm"
        live.create_job("budgets", "training_dataset", QUERY, description="money", feature_groups=["teams_features_1"])
        found = live.get_job("budgets")
        assert (found.description, found.schedule, found.feature_groups) == ("money", None, ["teams_features_1"])
        assert [each.name for each in live.get_jobs()] == ["budgets"]
        live.delete_job("budgets")
        assert live.get_jobs() == []
        with pytest.raises(errors.JobNotFoundError):
            live.get_job("budgets")

    def test_what_is_wrong_with_one(self, live):
        with pytest.raises(errors.ScheduleNotValidError):
            live.create_job("budgets", "training_dataset", QUERY, schedule="every night")
        with pytest.raises(InvalidInputError):
            live.create_job("budgets", "laundry")
        with pytest.raises(InvalidInputError, match="a str and not a dict"):
            live.create_job("budgets", "training_dataset", "--name budgets")
        with pytest.raises(InvalidInputError, match="is no name of a job"):
            live.get_job("a/b")


class TestRuns:
    def test_one_that_is_waited_for(self, live, live_world):
        live.create_job("budgets", "training_dataset", QUERY)
        with working(live_world):
            run = live.run_job("budgets", wait=True, timeout=60)
        assert (run.state, run.is_done, run.job, run.error) == ("succeeded", True, "budgets", None)
        assert run.result["rows"] == 3
        assert repr(run) == f"Run {run.id} of job 'budgets': succeeded, name='budgets', version=1, rows=3"
        assert live.get_training_dataset("budgets").shape == (3, 1)
        assert [line.level for line in live.get_run_log(run)] == ["info"]
        assert "3 rows" in repr(live.get_run_log(run.id))
        assert live.get_job("budgets").last_run.id == run.id

    def test_arguments_of_one_run(self, live, live_world):
        live.create_job("budgets", "training_dataset", QUERY)
        run = live.run_job("budgets", arguments={"version": 7})
        assert (run.state, run.arguments["version"]) == ("queued", 7)
        with pytest.raises(errors.JobRunningError):
            live.run_job("budgets")
        live_world.work()
        assert run.state == "queued"
        assert run.is_done
        assert run.refresh().result["version"] == 7

    def test_one_that_fails_raises_what_the_request_would_have(self, live, live_world):
        live.create_job("budgets", "training_dataset", {**QUERY, "query": {"features": ["team_budgets"]}})
        run = live.run_job("budgets")
        live_world.work()
        with pytest.raises(errors.FeatureNotFoundError, match="team_budgets") as refused:
            run.wait()
        assert (refused.value.run_id, refused.value.code) == (run.id, "feature-not-found")
        assert f"run {run.id}" in str(refused.value)
        assert "failed, " in repr(run)
        again = live.retry_run(run)
        assert (again.state, again.id != run.id) == ("queued", True)
        with pytest.raises(errors.RunNotEndedError):
            live.retry_run(again.id)

    def test_one_that_is_cancelled(self, live):
        live.create_job("budgets", "training_dataset", QUERY)
        run = live.run_job("budgets")
        assert live.cancel_run(run.id).state == "cancelled"
        with pytest.raises(errors.RunCancelledError, match="was cancelled") as refused:
            run.wait()
        assert refused.value.run_id == run.id
        with pytest.raises(errors.RunEndedError):
            run.cancel()

    def test_one_that_takes_too_long_goes_on(self, live, live_world):
        live.create_job("budgets", "training_dataset", QUERY)
        run = live.run_job("budgets")
        with pytest.raises(TimeoutError, match="goes on") as late:
            live.wait_for_run(run.id, timeout=0.3)
        assert isinstance(late.value, errors.RunTimeoutError)
        with working(live_world):
            assert live.wait_for_run(run, 60) is run

    def test_listed_by_what_they_are(self, live, live_world):
        live.create_job("budgets", "training_dataset", QUERY)
        first = live.run_job("budgets")
        live_world.work()
        second = live.run_job("budgets", arguments={"version": 2})
        assert [run.id for run in live.get_runs()] == [second.id, first.id]
        assert [run.id for run in live.get_runs(limit=1)] == [second.id]
        assert [run.id for run in live.get_runs(job="budgets", state="succeeded", kind="training_dataset")] == [
            first.id
        ]
        assert live.get_runs(kind="statistics") == []
        assert live.get_run(first.id).state == "succeeded"
        with pytest.raises(errors.RunNotFoundError):
            live.get_run("0197ffff-0000-7000-8000-000000000000")
        for wrong in ({"state": "done"}, {"limit": 0}, {"limit": True}):
            with pytest.raises(InvalidInputError):
                live.get_runs(**wrong)

    def test_those_of_others_are_not_there(self, live, live_world):
        live.create_job("budgets", "training_dataset", QUERY)
        run = live.run_job("budgets")
        with live_world.connect("rivals") as other, pytest.raises(errors.RunNotFoundError):
            other.get_run(run.id)


class TestInTheBackground:
    def test_a_training_dataset_of_features(self, live, live_world):
        with working(live_world):
            run = live.create_training_dataset("winners", ["team_budget"], data_format="csv", background=True).wait(60)
        assert run.job == "winners"
        assert live.get_training_dataset("winners").shape == (3, 1)
        assert live.get_job("winners").arguments["data_format"] == "csv"

    def test_one_of_sql(self, live, live_world):
        run = live.create_training_dataset("most", sql_query="SELECT 1 AS one", background=True)
        live_world.work()
        assert run.wait().result["rows"] == 1

    def test_labels_in_a_feature_group(self, live):
        run = live.create_training_dataset("same", ["team_budget"], spine="teams_features_1", background=True)
        assert run.arguments["query"]["labels"]["feature_group"] == "teams_features_1"

    def test_rows_are_not_kept_with_a_job(self, live):
        for arguments in ({"features": ["team_budget"], "spine": FRAME}, {"features": FRAME}, {"df": FRAME}):
            with pytest.raises(InvalidInputError, match="background=True"):
                live.create_training_dataset("winners", background=True, **arguments)
        assert live.get_jobs() == []


class TestOfTheOriginal:
    @pytest.mark.usefixtures("live")
    def test_launched_and_looked_up(self, live_world):
        job_module.create_job("budgets", arguments=QUERY)
        assert job_module.get_last_execution_info("budgets") == {"count": 0, "items": []}
        launched = job_module.launch_job("budgets")
        assert (launched["state"], launched["finalStatus"], launched["duration"]) == ("ACCEPTED", "UNDEFINED", 0)
        live_world.work()
        (last,) = job_module.get_last_execution_info("budgets")["items"]
        assert (last["id"], last["state"], last["finalStatus"]) == (launched["id"], "FINISHED", "SUCCEEDED")
        assert last["duration"] > 0
        assert job_module.start_job("budgets", {"version": 2})["user"] == "ada"
        with pytest.raises(errors.NotSupportedError, match="runs no program"):
            job_module.launch_job("budgets", "--overwrite")

    def test_a_program_takes_a_command_line(self, sdk_connection, sdk_gateway, monkeypatch):
        path = "/projects/football/jobs/players"
        monkeypatch.setattr(job_module, "default_connection", lambda: sdk_connection)
        monkeypatch.setattr(job_module.fs, "get_job", sdk_connection.get_job)
        sdk_gateway.on("GET", path, json_reply({"name": "players", "kind": "program"}))
        sdk_gateway.on("POST", f"{path}/runs", run())
        job_module.start_job("players", "--season 2019 --name 'a b'")
        assert sdk_gateway.last().json == {"arguments": {"arguments": ["--season", "2019", "--name", "a b"]}}
        with pytest.raises(InvalidInputError, match="No closing quotation"):
            job_module.start_job("players", "--name 'a")


def run(**changes):
    return json_reply({**RUN, **changes})


class TestWaiting:
    def test_pauses_grow(self, sdk_connection, sdk_gateway, sdk_waits):
        sdk_gateway.on("GET", f"{RUNS}/0197-r", *[run()] * 12, run(state="succeeded"))
        sdk_connection.wait_for_run("0197-r")
        assert sdk_waits[0] == 0.2
        assert sdk_waits == sorted(sdk_waits)
        assert sdk_waits[-1] == 5.0

    def test_a_gateway_that_is_started_anew(self, sdk_connection, sdk_gateway):
        away = problem(503, "unavailable", retryable=True)
        sdk_gateway.on("GET", f"{RUNS}/0197-r", run(state="running"), *[away] * 11, run(state="succeeded"))
        assert sdk_connection.wait_for_run("0197-r").state == "succeeded"

    def test_one_that_stays_away(self, sdk_connection, sdk_gateway, sdk_waits):
        sdk_gateway.on("GET", f"{RUNS}/0197-r", problem(503, "unavailable", retryable=True))
        with pytest.raises(errors.UnavailableError):
            sdk_connection.wait_for_run("0197-r")
        assert 120 < sum(sdk_waits) < 200

    def test_what_is_no_outage_is_raised_at_once(self, sdk_connection, sdk_gateway, sdk_waits):
        sdk_gateway.on("GET", f"{RUNS}/0197-r", problem(404, "run-not-found"))
        with pytest.raises(errors.RunNotFoundError):
            sdk_connection.wait_for_run("0197-r")
        assert sdk_waits == []

    def test_interrupted_it_says_which_run_goes_on(self, sdk_url, sdk_open, sdk_gateway, capsys):
        def interrupt(_seconds):
            raise KeyboardInterrupt

        sdk_gateway.on("GET", f"{RUNS}/0197-r", run(state="running"))
        connection = sdk_open(sdk_url, retries=RetryPolicy(sleep=interrupt))
        with pytest.raises(KeyboardInterrupt):
            connection.wait_for_run("0197-r")
        assert "Run 0197-r goes on. Wait for it with fs.wait_for_run('0197-r')" in capsys.readouterr().err

    def test_a_code_of_a_newer_gateway(self, sdk_connection, sdk_gateway):
        failure = {"code": "moon-wrong", "title": "Wrong moon", "detail": "", "hint": None}
        sdk_gateway.on("GET", f"{RUNS}/0197-r", run(state="failed", error=failure))
        with pytest.raises(errors.GatewayError, match="Wrong moon") as refused:
            sdk_connection.wait_for_run("0197-r")
        assert (refused.value.code, refused.value.run_id) == ("moon-wrong", "0197-r")

    @pytest.mark.parametrize("timeout", [-1, True, "60"])
    def test_timeouts_are_seconds(self, sdk_connection, timeout):
        with pytest.raises(InvalidInputError, match="no number of seconds"):
            sdk_connection.wait_for_run("0197-r", timeout)

    def test_started_once_however_often_it_is_sent(self, sdk_connection, sdk_gateway, caplog):
        path = "/projects/football/jobs/budgets/runs"
        sdk_gateway.on("POST", path, problem(503, "unavailable"), run())
        with caplog.at_level(logging.ERROR):
            sdk_connection.run_job("budgets")
        keys = [asked.headers["Idempotency-Key"] for asked in sdk_gateway.asked if asked.method == "POST"]
        assert len(keys) == 2
        assert len(set(keys)) == 1

    def test_a_run_is_not_pickled_with_the_key(self, sdk_connection, sdk_gateway):
        sdk_gateway.on("GET", f"{RUNS}/0197-r", run())
        with pytest.raises(TypeError, match="keep its id"):
            pickle.dumps(sdk_connection.get_run("0197-r"))

    def test_many_runs_come_page_by_page(self, sdk_connection, sdk_gateway):
        sdk_gateway.on("GET", RUNS, page(RUN, RUN, next_cursor="more"), page(RUN, RUN))
        assert len(sdk_connection.get_runs(limit=3)) == 3
        assert sdk_gateway.last().query == {"limit": "3", "cursor": "more"}


class TestProgress:
    def test_stage_rows_and_bytes(self):
        now, lines = [0.0], []
        progress = RunProgress(lambda line, is_last: lines.append((line, is_last)), clock=lambda: now[0])
        progress.show("running", "writing", 10, 0)
        assert lines == []
        for now[0], rows in ((2.0, 12_345), (3.0, 12_345), (4.0, 20_000)):
            progress.show("running", "writing", rows, 1_500_000)
        progress.close("succeeded")
        assert lines == [
            ("writing, 12,345 rows, 1.5 MB (2 s)", False),
            ("writing, 20,000 rows, 1.5 MB (4 s)", False),
            ("succeeded after 4 s", True),
        ]

    def test_what_is_quick_is_not_shown(self):
        lines = []
        progress = RunProgress(lambda line, _is_last: lines.append(line), clock=lambda: 0.0)
        progress.show("queued", "", 0, 0)
        progress.close("succeeded")
        assert lines == []

    def test_a_terminal_that_went_away_is_no_reason_to_stop(self):
        def gone(_line, _is_last):
            raise OSError("closed")

        now = [0.0]
        progress = RunProgress(gone, clock=lambda: now[0])
        now[0] = 5.0
        progress.show("running", "", 0, 0)
        progress.show("running", "writing", 0, 0)
        progress.close("failed")

    def test_silent_where_nobody_looks(self, sdk_connection, sdk_gateway, capsys, monkeypatch):
        monkeypatch.setattr("sys.stderr", io.StringIO())
        sdk_connection.set_progress(True)
        sdk_gateway.on("GET", f"{RUNS}/0197-r", *[run(state="running", stage="writing")] * 9, run(state="succeeded"))
        sdk_connection.wait_for_run("0197-r")
        assert capsys.readouterr().out == ""
