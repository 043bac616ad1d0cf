"""The made-up league against the figures of the data that it stands in for."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from examples.tour_data import AWAY_WINS, DRAW, GAMES, HOME_WINS, PLAYERS_PER_TEAM, TEAMS, compute_features, generate

SEEDS = (1, 2, 2019)

COLUMNS = {
    "teams_features": ["team_budget", "team_id", "team_position"],
    "players_features": [
        "team_id", "average_player_rating", "average_player_age", "average_player_worth",
        "sum_player_rating", "sum_player_age", "sum_player_worth",
    ],
    "attendances_features": ["team_id", "average_attendance", "sum_attendance"],
    "season_scores_features": ["team_id", "average_position", "sum_position"],
    "games_features": ["away_team_id", "home_team_id", "score"],
}  # fmt: skip


@pytest.fixture(scope="module", params=SEEDS)
def raw(request):
    return generate(request.param)


@pytest.fixture(scope="module")
def features(raw):
    return compute_features(raw)


def test_the_seed_decides_everything():
    first, again, other = (compute_features(generate(seed)) for seed in (7, 7, 8))
    for name, frame in first.items():
        pd.testing.assert_frame_equal(frame, again[name])
        assert not frame.equals(other[name])


def test_groups_and_columns_are_the_tours_own(features):
    assert {name: list(frame.columns) for name, frame in features.items()} == COLUMNS


def test_there_is_one_row_per_team_and_no_gap(raw, features):
    assert [len(raw.players), len(raw.attendances), len(raw.season_scores)] == [
        TEAMS * PLAYERS_PER_TEAM, TEAMS * 20, TEAMS * 20,
    ]  # fmt: skip
    for name in COLUMNS.keys() - {"games_features"}:
        assert sorted(features[name]["team_id"]) == list(range(1, TEAMS + 1))
    assert not any(frame.isna().any(axis=None) for frame in features.values())


def test_features_are_the_averages_and_sums_of_the_rows(raw, features):
    players = features["players_features"].set_index("team_id")
    of_team_7 = raw.players[raw.players["team_id"] == 7]
    assert players.loc[7, "average_player_worth"] == pytest.approx(of_team_7["worth"].mean(), rel=1e-6)
    assert players.loc[7, "sum_player_age"] == of_team_7["age"].sum()
    np.testing.assert_allclose(
        players["sum_player_rating"], players["average_player_rating"] * PLAYERS_PER_TEAM, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("group", "feature", "best", "correlation"),
    [
        ("players_features", "average_player_rating", 8_100, -0.99),
        ("players_features", "average_player_worth", 8_640, -0.99),
        ("attendances_features", "average_attendance", 98_000, -0.95),
    ],
)
def test_popularity_falls_as_one_over_rank(features, group, feature, best, correlation):
    frame = features[group]
    rank, value = np.log(frame["team_id"]), np.log(frame[feature].astype("float64"))
    slope, at_first = np.polyfit(rank, value, 1)
    assert slope == pytest.approx(-1, abs=0.1)
    assert np.exp(at_first) == pytest.approx(best, rel=0.25)
    assert np.corrcoef(rank, value)[0, 1] < correlation


def test_ages_know_nothing_of_rank(raw, features):
    assert (raw.players["age"].min(), raw.players["age"].max()) == (17, 34)
    assert raw.players["age"].std() == pytest.approx(5.2, abs=0.1)
    team_means = features["players_features"]["average_player_age"]
    assert team_means.mean() == pytest.approx(25.5, abs=0.3)
    assert team_means.std() == pytest.approx(0.52, abs=0.2)


def test_budgets_are_positive_wide_and_know_nothing_of_rank(features):
    teams = features["teams_features"]
    assert teams["team_budget"].between(760, 21_320).all()
    assert teams["team_budget"].mean() == pytest.approx(8_723, rel=0.25)
    # With 50 teams, chance alone correlates by 0.14; three times that is still nothing like popularity's 0.98.
    assert abs(teams["team_budget"].corr(teams["team_id"])) < 0.42


def test_season_scores_rise_with_rank(features):
    scores = features["season_scores_features"]
    slope, start = np.polyfit(scores["team_id"], scores["average_position"], 1)
    assert slope == pytest.approx(1.025, abs=0.1)
    assert start == pytest.approx(24.4, abs=3)
    assert np.std(scores["average_position"] - slope * scores["team_id"] - start) == pytest.approx(3, abs=1)


def test_the_better_team_wins_or_it_is_a_draw(raw):
    games = raw.games
    assert len(games) == GAMES
    assert (games["away_team_id"] != games["home_team_id"]).all()
    decided = games[games["score"] != DRAW]
    away_is_better = decided["away_team_id"] < decided["home_team_id"]
    assert (decided["score"] == np.where(away_is_better, AWAY_WINS, HOME_WINS)).all()


def test_games_are_drawn_won_and_paired_in_the_right_shares(raw):
    games = raw.games
    assert (games["score"] == DRAW).mean() == pytest.approx(0.157, abs=0.015)  # four standard errors
    assert games["score"].mean() == pytest.approx(2, abs=0.04)
    assert games["score"].std() == pytest.approx(0.918, abs=0.01)
    for side in ("away_team_id", "home_team_id"):
        assert set(games[side]) == set(range(1, TEAMS + 1))
        assert games[side].value_counts().between(120, 280).all()  # 200 expected


def test_a_linear_model_finds_the_position(features):
    data = features["teams_features"]
    for name in ("players_features", "attendances_features", "season_scores_features"):
        data = data.merge(features[name], on="team_id", validate="one_to_one")
    inputs, label = data.drop(columns=["team_id", "team_position"]), data["team_position"]
    assert inputs.shape == (TEAMS, 11)
    assert LinearRegression().fit(inputs, label).score(inputs, label) == pytest.approx(0.958, abs=0.02)
