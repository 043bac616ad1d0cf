"""A tour of Oasthouse: three projects, five feature groups, one share, one model.

    oast demo                                                # a gateway and a Secrets Manager of its own
    python examples/tour.py https://gateway.example.com      # yours, with new projects football, venues and rivals

The keys are found in AWS by the role that this runs as. With three projects in one script each call names its connection;
a notebook of one project calls the same names on the module: `fs.connect(…)`, then `fs.get_features(…)`.
"""

import sys

import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score, root_mean_squared_error
from tour_data import compute_features, generate

import hops.featurestore as fs
from hops.featurestore.errors import FeatureNotFoundError, SchemaMismatchError

LABEL = "team_position"
INPUTS = [
    "team_budget",
    "average_player_rating", "average_player_age", "average_player_worth",
    "sum_player_rating", "sum_player_age", "sum_player_worth",
    "average_attendance", "sum_attendance",
    "average_position", "sum_position",
]  # fmt: skip


def main(gateway: str) -> None:
    features = compute_features(generate())

    heading("Connect: the key comes from AWS, by the role that this runs as")
    football = fs.connect(gateway, "football", secrets_store="secretsmanager")
    venues = fs.connect(gateway, "venues", secrets_store="parameterstore")

    write_feature_groups(football, venues, features)
    share_attendances(football, venues)
    read_by_name(football)
    train(football)
    refuse_strangers(gateway)
    refuse_what_does_not_fit(football, features["teams_features"])

    heading("Open next, while the gateway is up")
    print(f"The API, as a page      {gateway}/api/v1/docs")
    print(f"The training dataset    {football.get_training_dataset_path('team_position_prediction')}")


def write_feature_groups(football: fs.Connection, venues: fs.Connection, features: dict[str, pd.DataFrame]) -> None:
    heading("Write feature groups: football its own, venues the attendances")
    for name in ("teams_features", "players_features", "season_scores_features"):
        football.create_featuregroup(features[name], name, primary_key="team_id")
    # The same teams meet again and again: a key must be unique only where rows are to be upserted.
    football.create_featuregroup(
        features["games_features"], "games_features", primary_key=["away_team_id", "home_team_id"]
    )
    venues.create_featuregroup(
        features["attendances_features"],
        "attendances_features",
        primary_key="team_id",
        description="Spectators per team, over twenty years",
        feature_descriptions={"average_attendance": "Spectators in an average year"},
    )
    print("football:", ", ".join(football.get_featuregroups()))
    print("venues:  ", ", ".join(venues.get_featuregroups()))


def share_attendances(football: fs.Connection, venues: fs.Connection) -> None:
    heading("Share: football sees nothing of venues until both sides agree")
    try:
        football.get_feature("average_attendance")
    except FeatureNotFoundError as error:
        print("Before:", error.detail)

    share = venues.offer_share("football", "feature_store")
    football.accept_share(share.id)

    print("After: ", ", ".join(football.get_project_featurestores()))


def read_by_name(football: fs.Connection) -> None:
    heading("Read features by name; the gateway finds the groups and the join")
    names = ["team_id", "average_attendance", "average_player_age", "team_budget"]
    print(football.get_features(names).sort_values("team_id").head().to_string(index=False))
    print()
    print(football.explain(names))


def train(football: fs.Connection) -> None:
    heading("Make a training dataset of 12 features in 4 groups, and fit a model")
    print(football.create_training_dataset("team_position_prediction", [*INPUTS, LABEL]).title)

    fit(football.get_training_dataset("team_position_prediction"))


def fit(data: pd.DataFrame) -> None:
    model = LinearRegression().fit(data[INPUTS], data[LABEL])
    predicted = model.predict(data[INPUTS])
    print(f"R²    {r2_score(data[LABEL], predicted):.3f}")
    print(f"RMSE  {root_mean_squared_error(data[LABEL], predicted):.2f} positions")


def refuse_strangers(gateway: str) -> None:
    heading("The same feature for a project that nobody shares with")
    rivals = fs.connect(gateway, "rivals", secrets_store="secretsmanager")
    try:
        rivals.get_feature("average_attendance")
    except FeatureNotFoundError as error:
        print("rivals:", error.detail)


def refuse_what_does_not_fit(football: fs.Connection, teams: pd.DataFrame) -> None:
    heading("Rows that do not fit: every column is named, nothing is written")
    wrong = teams.assign(team_budget="plenty").drop(columns="team_position")
    try:
        football.insert_into_featuregroup(wrong, "teams_features")
    except SchemaMismatchError as error:
        print(error)


def heading(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8181")
