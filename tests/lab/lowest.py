"""Run by the lowest Python and packages that the SDK names: a notebook's work against a gateway, in Python 3.9's syntax."""

import sys

import pandas as pd
import pyarrow as pa

import hops.featurestore as fs

address, key_file = sys.argv[1:]
fs.connect(address, "football", secrets_store="local", api_key_file=key_file)
teams = pd.DataFrame({"team_id": [1, 2, 3], "team_budget": [12.5, None, 8.75], "name": ["a", "b", None]})
teams["founded"] = pd.to_datetime(["1900-01-01", "1910-02-03", None])
attendances = pd.DataFrame({"team_id": [1, 2, 3], "average_attendance": [8100, 22400, 5200]})
fs.create_featuregroup(teams, "teams_features", primary_key="team_id")
fs.create_featuregroup(attendances, "attendances_features", primary_key="team_id")

names = ["team_id", "team_budget", "average_attendance"]
joined = fs.get_features(names)
assert list(joined.columns) == names, joined
assert sorted(joined["average_attendance"]) == [5200, 8100, 22400], joined
assert fs.get_features(names, dataframe_type="pyarrow").num_rows == 3
fs.insert_into_featuregroup(teams.assign(team_budget=21.0), "teams_features", mode="upsert")
assert list(fs.get_featuregroup("teams_features")["team_budget"]) == [21.0] * 3
assert fs.sql("SELECT max(team_budget) AS most FROM teams_features_1")["most"][0] == 21.0
assert "join" in str(fs.explain(names))
fs.create_training_dataset("budgets", features=names, data_format="csv")
assert len(fs.get_training_dataset("budgets")) == 3
assert fs.doctor(address, "football", secrets_store="local", api_key_file=key_file).ok
print("Python", sys.version.split()[0], "pandas", pd.__version__, "pyarrow", pa.__version__)
