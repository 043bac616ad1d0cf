"""What a worker makes of bad times: of sleep, of a database that is away, of work that takes long, of a server that is gone."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import make_url, select, update

from app.featurestore.jobs.models import JobRun
from app.featurestore.jobs.queue import Attempt, RunOrder
from app.worker import Worker, _Under
from infra.storage.location import Warehouse
from tests.lab.postgres import Postgres
from tests.world import World, make_world

PATIENCE = 30


def order(world: World, subject: str = "a") -> UUID:
    """A run of a kind that there is not: taken, it fails."""
    project_id = world.context("football").principal.project_id
    assert project_id is not None
    with world.container.database.write() as uow:
        run = world.container.runs.enqueue(uow.session, RunOrder(project_id, "told", subject, {}, "system", "gateway"))
        uow.commit()
        return run.id


def row(world: World, run_id: UUID) -> JobRun:
    with world.container.database.read() as session:
        return session.scalars(select(JobRun).where(JobRun.id == run_id)).one()


def end_leases(world: World) -> None:
    with world.container.database.write() as uow:
        uow.session.execute(update(JobRun).values(lease_until=datetime.now(UTC) - timedelta(minutes=1)))
        uow.commit()


def take(world: World, worker: str) -> Attempt:
    attempt = world.container.runs.take(worker, per_project=5)
    assert attempt is not None
    return attempt


def wait_for(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def working(worker: Worker) -> Iterator[None]:
    thread = threading.Thread(target=worker.work)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """A worker ignores SIGTERM until its command says what it does."""
    found = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, found)


@pytest.fixture
def football(world: World) -> World:
    world.projects("football")
    return world


@pytest.fixture
def worker(football: World) -> Iterator[Worker]:
    worker = Worker(football.container.settings)
    yield worker
    worker._container.database.engine.dispose()


@pytest.fixture
def held(football: World, worker: Worker) -> Iterator[_Under]:
    """A run that the worker has under way: a process that sleeps."""
    order(football)
    process = worker._processes.Process(target=time.sleep, args=(PATIENCE * 2,))
    process.start()
    under = _Under(take(football, worker._name), process, time.monotonic() + PATIENCE)
    worker._under_way.append(under)
    yield under
    process.kill()
    process.join(PATIENCE)


def test_leases_that_ran_out_while_it_slept_are_its_own(football: World, worker: Worker, held: _Under) -> None:
    end_leases(football)
    worker._turn()
    found = row(football, held.attempt.run_id)
    assert (found.state, found.attempt, found.error) == ("running", 1, None)
    assert found.lease_until is not None
    assert found.lease_until > datetime.now(UTC)
    assert held.process.is_alive()


def test_leases_are_renewed_while_old_files_are_removed(
    football: World, worker: Worker, held: _Under, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large prefix of a bucket takes minutes."""
    began, may_end = threading.Event(), threading.Event()

    def purge() -> None:
        began.set()
        may_end.wait(PATIENCE)

    monkeypatch.setattr(worker._container.locations, "purge", purge)
    with working(worker):
        assert began.wait(PATIENCE)
        end_leases(football)
        wait_for(lambda: row(football, held.attempt.run_id).lease_until > datetime.now(UTC))  # type: ignore[operator]
        may_end.set()


@pytest.mark.parametrize(("part", "work"), [("scheduler", "enqueue_due"), ("execution", "stop_left_behind")])
def test_an_error_that_nobody_foresaw_ends_nothing(
    football: World, worker: Worker, monkeypatch: pytest.MonkeyPatch, part: str, work: str
) -> None:
    calls = list[int]()

    def broken_once() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("never thought of")
        return 0

    monkeypatch.setattr(getattr(worker._container, part), work, broken_once)
    for pause in ("_PATIENCE_SECONDS", "_STOP_LOOK_SECONDS"):
        monkeypatch.setattr(f"app.worker.{pause}", 0.1)
    run_id = order(football)
    with working(worker):
        wait_for(lambda: row(football, run_id).state == "failed" and len(calls) > 1)


def test_what_others_hold_is_theirs_until_they_had_time_to_say_so(football: World, worker: Worker) -> None:
    """After an outage the first to see the database again finds every lease ended."""
    run_id = order(football)
    take(football, "another")
    end_leases(football)
    worker._wait_out(RuntimeError("the database was away"))
    worker._turn()
    assert (row(football, run_id).state, row(football, run_id).worker) == ("running", "another")


def test_without_an_outage_what_is_lost_is_taken_up_at_once(football: World, worker: Worker) -> None:
    run_id = order(football)
    take(football, "another")
    end_leases(football)
    worker._container.runs.recover()
    assert row(football, run_id).state == "queued"


def test_a_database_that_was_away_is_worked_on_again(
    postgres: Postgres, tmp_path: Path, local_warehouse: Warehouse
) -> None:
    with postgres.fresh_database() as url:
        world = make_world(tmp_path / "data", url, local_warehouse)
        world.projects("football")
        worker = Worker(world.container.settings)
        with working(worker), psycopg.connect(postgres.uri, autocommit=True) as operator:
            wait_for(lambda: worker._next_recovery)
            name = make_url(url).database
            operator.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")  # type: ignore[arg-type]  # made by the test
            operator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            time.sleep(3)
            operator.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")  # type: ignore[arg-type]  # made by the test
            run_id = order(world)
            wait_for(lambda: row(world, run_id).state == "failed")
        world.container.database.engine.dispose()


def test_it_ends_with_its_server(football: World) -> None:
    worker = Worker(football.container.settings, of=os.getppid())
    assert not worker._is_over()
    of_somebody_gone = Worker(football.container.settings, of=os.getpid())
    of_somebody_gone.work()
    assert of_somebody_gone._stopping.is_set()
