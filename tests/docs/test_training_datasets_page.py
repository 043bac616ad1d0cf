"""docs/training-datasets.md: its code runs after the first steps of the README, and its formats are those there are."""

import io
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import hops.featurestore as fs
from app.featurestore.training_datasets.anomalies import (
    ALL_NULL,
    CONSTANT,
    INFINITE,
    LEAKAGE,
    NAN,
    NULLS,
    TIME_RANGE,
)
from hops.featurestore import default
from hops.featurestore.training_datasets import DATA_FORMATS
from infra.storage.location import parse_warehouse
from tests.docs.pages import code, codes, fences, read, table
from tests.world import listening, make_world

PAGE = "docs/training-datasets.md"


@pytest.fixture
def teams(tmp_path: Path) -> Iterator[pd.DataFrame]:
    """The groups of the README."""
    with listening(make_world(tmp_path / "data", None, parse_warehouse(str(tmp_path / "warehouse")))) as world:
        world.project("football")
        with world.connect("football") as connection:
            default.use_connection(connection)
            made = pd.DataFrame({"team_id": [1, 2, 3], "team_budget": [12.5, 20.0, 8.75]})
            fs.create_featuregroup(made, "teams_features", primary_key="team_id")
            attendances = pd.DataFrame({"team_id": [1, 2, 3], "average_attendance": [8100, 22400, 5200]})
            fs.create_featuregroup(attendances, "attendances_features", primary_key="team_id")
            yield made
            default.forget_connection()


@pytest.mark.usefixtures("teams")
def test_the_examples_run() -> None:
    first, *others = fences(read(PAGE), "python")
    assert len(others) == 3
    names: dict[str, Any] = {}
    with redirect_stdout(io.StringIO()) as printed:
        exec(first, names)
    assert "'by': 'entity'" in printed.getvalue()
    assert sorted(fs.get_training_datasets()) == ["budgets_now_1", "cities_1", "results_1"]
    both = [fs.get_training_dataset("results", split=split) for split in ("train", "test")]
    kept = pd.concat(both).sort_values("team_id")
    assert kept["team_budget"].tolist() == [12.5, 20.0, 8.75]
    assert kept["won"].tolist() == [True, False, True]
    assert fs.get_training_dataset("cities")["teams"].tolist() == [3]
    with redirect_stdout(io.StringIO()) as printed:
        for block in others:
            exec(block, names)
    assert len(fs.get_training_dataset("results")) == 6
    assert fs.get_training_dataset("cities")["teams"].tolist() == [4]
    assert "2 True" in printed.getvalue()
    assert "BatchColumn(dtype='float64'" in printed.getvalue()


def test_the_anomalies_are_those_there_are() -> None:
    documented = [code(row["Kind"]) for row in table(PAGE, "Anomalies")]
    kinds = (NULLS, ALL_NULL, CONSTANT, NAN, INFINITE, LEAKAGE, TIME_RANGE)
    assert documented == list(kinds)


def test_the_formats_are_those_there_are() -> None:
    sentence = read(PAGE).partition("`data_format` is ")[2].partition(". ")[0]
    assert tuple(codes(sentence)) == DATA_FORMATS
