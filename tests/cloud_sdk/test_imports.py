"""Imports from the notebook: both argument lists, waiting, schedules."""

import inspect
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hops.featurestore as fs
from app.featurestore.connectors.hopsfs import HopsfsKind
from hops.featurestore import default
from hops.featurestore.errors import FeatureGroupExistsError, InvalidInputError, NotSupportedError
from hops.featurestore.runs import JobRun
from tests.world import World

P = "/projects/football"


@pytest.fixture
def landing(live_world: World) -> Iterator[World]:
    """`football` with a folder of files, a worker, and the default connection to it."""
    world = live_world
    world.projects("football", "rivals")
    body = {"name": "landing", "kind": "HOPSFS", "options": {"dataset_name": "landing"}}
    assert world.call("POST", f"{P}/connectors", world.key("football"), json=body).status_code == 201
    project_id = world.context("football").principal.project_id
    assert project_id is not None
    kind = HopsfsKind(folders=None, project_id=lambda _name: project_id)  # type: ignore[arg-type]  # only its path is asked for
    url = world.container.settings.resolved_warehouse_url
    root = Path(url) / kind._path("football", {"dataset_name": "landing"})
    (root / "in").mkdir(parents=True)
    (root / "in/teams.csv").write_text("team_id,zip\n1,7\n2,8\n")
    default.use_connection(world.connect("football"))
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.05):
            world.work()

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    yield world
    default.forget_connection()
    done.set()
    worker.join(10)


def arguments_of(world: World) -> dict[str, Any]:
    job = world.call("GET", f"{P}/jobs/teams", world.key("football")).json
    return {**job["arguments"], "schedule": job["schedule"], "kind": job["kind"]}


def test_both_orders_of_arguments_import_the_same(landing: World) -> None:
    cloud = fs.import_featuregroup_s3("landing", "teams", "in/teams.csv", "team_id", data_format="csv")
    assert isinstance(cloud, JobRun)
    assert (cloud.state, cloud.result and cloud.result["name"]) == ("succeeded", "teams")
    asked = arguments_of(landing)
    assert (asked["kind"], asked["path"], asked["primary_key"]) == ("import_files", "in/teams.csv", ["team_id"])
    cluster = fs.import_featuregroup_s3(
        "landing", "in/teams.csv", "teams", "team_id", featuregroup_version=2, data_format="csv"
    )
    assert cluster.state == "succeeded"
    assert arguments_of(landing) == {**asked, "version": 2}
    fs.import_featuregroup_s3("landing", "in", featuregroup="teams", featuregroup_version=3, data_format="csv")
    assert arguments_of(landing)["path"] == "in"
    assert fs.get_featuregroup("teams").to_dict("list") == {"team_id": [1, 2], "zip": [7, 8]}


def test_what_is_said_of_the_group(landing: World) -> None:
    fs.import_featuregroup_s3(
        "landing",
        "teams",
        "in/teams.csv",
        description="Teams",
        features={"zip": "string"},
        tags={"source": "crm"},
        cluster_analysis=False,
        data_format="csv",
        jobs=["mine"],
        am_cores=4,
    )
    group = landing.call("GET", f"{P}/feature-groups/teams/versions/1", landing.key("football")).json
    assert (group["description"], group["tags"], group["jobs"]) == ("Teams", {"source": "crm"}, ["mine", "teams"])
    assert group["statistics"]["clusters"] is False
    assert [feature["type"] for feature in group["features"]] == ["bigint", "string"]


def test_what_the_run_fails_with_is_raised(landing: World) -> None:
    fs.import_featuregroup_s3("landing", "teams", "in", data_format="csv")
    with pytest.raises(FeatureGroupExistsError):
        fs.import_featuregroup_s3("landing", "teams", "in", data_format="csv")
    run = fs.import_featuregroup_s3("landing", "teams", "in", data_format="csv", wait=False)
    assert run.state == "queued"
    with pytest.raises(FeatureGroupExistsError):
        run.wait(30)


def test_a_schedule_needs_a_mode_that_can_go_on(landing: World) -> None:
    with pytest.raises(InvalidInputError, match="second time"):
        fs.import_featuregroup_s3("landing", "teams", "in", schedule="0 3 * * *", data_format="csv")
    fs.import_featuregroup_s3(
        "landing", "teams", "in", mode="overwrite", schedule="0 3 * * *", data_format="csv", time_zone="Europe/Oslo"
    )
    assert arguments_of(landing)["schedule"] == "0 3 * * *"
    with pytest.raises(InvalidInputError, match="mode="):
        fs.import_featuregroup_s3("landing", "teams", "in", mode="merge")


def test_what_there_is_not(landing: World) -> None:
    with pytest.raises(NotSupportedError, match="online"):
        fs.import_featuregroup_s3("landing", "teams", online=True)
    with pytest.raises(NotSupportedError, match="offline"):
        fs.import_featuregroup_redshift("landing", "SELECT 1", "teams", offline=False)
    with pytest.raises(TypeError, match=r"import_featuregroup_s3\(\)"):
        fs.import_featuregroup_s3("landing")
    with pytest.raises(fs.FeatureStoreError):
        fs.import_featuregroup_s3("landing", "teams", "in", featurestore="rivals_featurestore")


def test_sql_goes_to_its_connector(landing: World) -> None:
    with pytest.raises(InvalidInputError, match="runs no SQL"):
        fs.import_featuregroup_redshift("landing", "SELECT 1 AS id", "teams", mode="upsert", event_time="id")
    asked = arguments_of(landing)
    assert (asked["kind"], asked["query"], asked["mode"]) == ("import_sql", "SELECT 1 AS id", "upsert")


def test_it_presents_itself() -> None:
    assert fs.import_featuregroup_s3.__name__ == "import_featuregroup_s3"
    names = list(inspect.signature(fs.import_featuregroup_s3).parameters)
    assert names[:3] == ["storage_connector", "featuregroup", "path"]
