"""`oast fsck`: what it finds, and what it leaves alone."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import delete, select, update

from app.featurestore.feature_groups.models import FeatureGroup
from app.featurestore.jobs.models import JobRun
from app.featurestore.locations.models import Location
from app.featurestore.training_datasets.models import TrainingDataset
from app.fsck import Report, check_consistency
from tests.frames import frame_request
from tests.world import World


@pytest.fixture
def football(world: World) -> World:
    """One feature group with partitions of odd names, and one training dataset."""
    world.projects("football")
    key = world.key("football")
    table = pa.table({"id": [1, 2, 3], "place": ["a b", "ö/ü", None]})
    command = {"name": "players", "partition_by": ["place"]}
    world.call("POST", "/projects/football/feature-groups", key, **frame_request(table, command))
    dataset = {"name": "ids", "query": {"features": ["id"]}}
    assert world.call("POST", "/projects/football/training-datasets", key, json=dataset).status_code == 201
    return world


def check(world: World, *, deep: bool = False) -> Report:
    return check_consistency(world.container, deep=deep)


def faults(world: World, *, deep: bool = False) -> list[str]:
    return [f"{f.subject} {f.detail}" for f in check(world, deep=deep).findings if f.is_fault]


def location_of(world: World, model: type[FeatureGroup] | type[TrainingDataset]) -> str:
    with world.container.database.read() as session:
        return str(session.scalars(select(model.location)).one())


def test_what_is_whole_is_clean(football: World) -> None:
    report = check(football, deep=True)
    assert (report.feature_groups, report.training_datasets, report.locations) == (1, 1, 2)
    assert report.findings == []
    assert report.is_clean


def test_a_file_of_a_table_that_is_gone(football: World) -> None:
    location = location_of(football, FeatureGroup)
    path = football.container.store.local_path(football.container.store.uri(location))
    assert path is not None
    next(iter(sorted(path.rglob("*.parquet")))).unlink()
    (found,) = faults(football)
    assert found.startswith("feature group football/players_1 1 of its 3 files are gone, such as ")


def test_a_table_that_is_gone(football: World) -> None:
    football.container.store.delete_prefix(location_of(football, FeatureGroup))
    (found,) = faults(football)
    assert "its table cannot be read" in found


def test_an_acknowledged_commit_that_is_gone(football: World) -> None:
    with football.container.database.write() as uow:
        uow.session.execute(update(FeatureGroup).values(table_version=5))
        uow.commit()
    assert faults(football) == ["feature group football/players_1 commit 5 was acknowledged, and the table ends at 0"]


def test_files_of_a_dataset(football: World) -> None:
    location = location_of(football, TrainingDataset)
    store = football.container.store
    with store.open_output(f"{location}/part-00000.parquet") as file:
        file.write(b"something else")
    assert faults(football) == []
    assert faults(football, deep=True) == ["training dataset football/ids_1 its file part-00000.parquet was changed"]
    store.delete_prefix(location)
    assert faults(football) == ["training dataset football/ids_1 its file part-00000.parquet is gone"]


def test_locations_that_do_not_agree(football: World) -> None:
    with football.container.database.write() as uow:
        uow.session.execute(delete(Location).where(Location.path == location_of(football, TrainingDataset)))
        uow.session.execute(update(Location).values(state="doomed"))
        uow.commit()
    assert [found.rpartition(" is ")[2] for found in faults(football)] == ["doomed", "unknown"]


def test_what_nothing_names(football: World) -> None:
    with football.container.database.write() as uow:
        uow.session.execute(delete(TrainingDataset))
        uow.commit()
    (found,) = faults(football)
    assert found.endswith("is live and nothing names it")


def test_leftovers_are_no_faults(football: World) -> None:
    project = football.context("football").principal.project_id
    assert project is not None
    with football.container.store.open_output(f"{project}/unknown/file") as file:
        file.write(b"x")
    football.container.locations.claim(project)
    football.clock.ahead = timedelta(days=2)
    report = check(football)
    assert report.is_clean
    assert sorted(finding.detail for finding in report.findings) == [
        "lies in the warehouse, and the database does not know of it",
        "was claimed and never used",
    ]
    assert football.container.locations.purge() == 1
    assert len(check(football).findings) == 1


def test_runs_without_a_worker(football: World) -> None:
    key = football.key("football")
    job = {"kind": "training_dataset", "arguments": {"name": "later", "query": {"features": ["id"]}}}
    football.call("PUT", "/projects/football/jobs/later", key, json=job)
    football.call("POST", "/projects/football/jobs/later/runs", key, json={})
    assert check(football).findings == []
    football.clock.ahead = timedelta(minutes=5)
    assert [finding.subject for finding in check(football).findings] == ["queue"]
    football.container.runs.take("somebody", per_project=1)
    football.clock.ahead = timedelta(minutes=15)
    with football.container.database.read() as session:
        run = session.scalars(select(JobRun.id)).one()
    assert [finding.subject for finding in check(football).findings] == [f"run {run}"]


class TestWhatChangesWhileItLooks:
    """A large warehouse takes minutes to look at, and goes on working."""

    @pytest.fixture
    def meanwhile(self, football: World, monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
        """What happens once the database was read, before the warehouse is."""
        happens: list[Callable[[], object]] = []
        snapshot = football.container.tables.snapshot

        def look(*arguments: Any) -> Any:
            while happens:
                happens.pop()()
            return snapshot(*arguments)

        monkeypatch.setattr(football.container.tables, "snapshot", look)
        return happens

    @pytest.mark.parametrize("name", ["feature-groups/players", "training-datasets/ids"])
    def test_what_is_deleted_was_never_at_fault(
        self, football: World, meanwhile: list[Callable[[], object]], name: str
    ) -> None:
        def delete_it() -> None:
            path = f"/projects/football/{name}/versions/1"
            assert football.call("DELETE", path, football.key("football")).status_code == 204
            football.container.locations.purge()

        meanwhile.append(delete_it)
        assert check(football).findings == []

    def test_nor_what_is_replaced(self, football: World, meanwhile: list[Callable[[], object]]) -> None:
        def write_anew() -> None:
            body = {"name": "ids", "query": {"features": ["id"]}, "overwrite": True}
            made = football.call("POST", "/projects/football/training-datasets", football.key("football"), json=body)
            assert made.status_code == 201, made.json
            football.container.locations.purge()

        meanwhile.append(write_anew)
        assert check(football).findings == []

    def test_nobody_is_told_to_remove_what_is_being_written(
        self, football: World, meanwhile: list[Callable[[], object]]
    ) -> None:
        def begin_to_write() -> None:
            project = football.context("football").principal.project_id
            assert project is not None
            with football.container.store.open_output(f"{football.container.locations.claim(project)}/file") as file:
                file.write(b"x")

        meanwhile.append(begin_to_write)
        assert check(football).findings == []
