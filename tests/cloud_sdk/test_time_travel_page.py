"""The page's example, run as it is written after the first steps of the README."""

import io
import re
from contextlib import redirect_stdout
from pathlib import Path

import pandas as pd
import pytest

import hops.featurestore as fs
from hops.featurestore import default

PAGE = Path(__file__).parents[2] / "docs" / "time-travel.md"


@pytest.fixture
def written_twice(live_world):
    """`teams_features` as the README leaves it."""
    live_world.project("football")
    with live_world.connect("football") as connection:
        default.use_connection(connection)
        teams = pd.DataFrame({"team_id": [1, 2, 3], "team_budget": [12.5, 20.0, 8.75]})
        fs.create_featuregroup(teams, "teams_features", primary_key="team_id")
        fs.insert_into_featuregroup(teams.assign(team_budget=21.0), "teams_features", mode="upsert")
        yield teams
        default.forget_connection()


def test_the_example_runs(written_twice):
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    calls, names = code.splitlines(), {}
    with redirect_stdout(io.StringIO()) as printed:
        exec(code, names)
    assert [line.split()[0] for line in printed.getvalue().splitlines()] == ["1", "0"]
    made, same, changed = (eval(line, names) for line in calls if "as_of=" in line or "changes_between" in line)
    pd.testing.assert_frame_equal(made, written_twice.assign(wins=None).astype(made.dtypes))
    pd.testing.assert_frame_equal(made, same)
    assert set(changed["change"]) == {"update_before", "update_after"}
