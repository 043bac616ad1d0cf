"""The tour's data: a football league, made up from a seed, and the features computed from it.

A team's id is its rank: players, ratings and spectators fall off as 1/rank, as popularity does; budgets and ages do not.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

TEAMS = 50
PLAYERS_PER_TEAM = 100
YEARS = range(1999, 2019)
GAMES = 10_000

AWAY_WINS, DRAW, HOME_WINS = 1, 2, 3
SHARE_OF_DRAWS = 0.157


@dataclass(frozen=True)
class RawData:
    """What the league's own systems would deliver."""

    teams: pd.DataFrame
    players: pd.DataFrame
    attendances: pd.DataFrame
    season_scores: pd.DataFrame
    games: pd.DataFrame


def generate(seed: int = 2019) -> RawData:
    """The same seed gives the same league."""
    rng = np.random.default_rng(seed)
    return RawData(_teams(rng), _players(rng), _attendances(rng), _season_scores(rng), _games(rng))


def compute_features(raw: RawData) -> dict[str, pd.DataFrame]:
    """Feature group → its rows; all but the games have one row per team."""
    return {
        "teams_features": raw.teams[["team_budget", "team_id", "team_position"]].astype({"team_budget": "float32"}),
        "players_features": _averages_and_sums(raw.players, ["rating", "age", "worth"], prefix="player_"),
        "attendances_features": _averages_and_sums(raw.attendances, ["attendance"]),
        "season_scores_features": _averages_and_sums(raw.season_scores, ["position"]),
        "games_features": raw.games[["away_team_id", "home_team_id", "score"]],
    }


def _averages_and_sums(rows: pd.DataFrame, columns: list[str], prefix: str = "") -> pd.DataFrame:
    groups = rows.groupby("team_id")[columns]
    averages = groups.mean().add_prefix(f"average_{prefix}")
    sums = groups.sum().add_prefix(f"sum_{prefix}")
    # Summed in double precision, kept in single: rounding every step would show in a sum over a hundred players.
    return averages.join(sums).astype("float32").reset_index()


def _teams(rng: np.random.Generator) -> pd.DataFrame:
    rank = _every_team()
    return pd.DataFrame(
        {
            "team_budget": rng.triangular(760, 4_400, 21_300, TEAMS),
            "team_id": rank,
            "team_name": [f"team_{team}" for team in rank],
            "team_owner": [f"owner_{team}" for team in rank],
            "team_position": rank,
        }
    )


def _players(rng: np.random.Generator) -> pd.DataFrame:
    team = np.repeat(_every_team(), PLAYERS_PER_TEAM)
    return pd.DataFrame(
        {
            "age": rng.integers(17, 34, len(team), endpoint=True, dtype="int32"),
            "rating": _falling_with_rank(rng, 8_100, team, variation=0.7),
            "team_id": team,
            "worth": _falling_with_rank(rng, 8_640, team, variation=0.7),
        }
    )


def _attendances(rng: np.random.Generator) -> pd.DataFrame:
    team, year = _every_season()
    return pd.DataFrame(
        {"attendance": _falling_with_rank(rng, 98_000, team, variation=0.8), "team_id": team, "year": year}
    )


def _season_scores(rng: np.random.Generator) -> pd.DataFrame:
    team, year = _every_season()
    luck = rng.integers(0, TEAMS, len(team), dtype="int32")
    return pd.DataFrame({"position": team + luck, "team_id": team, "year": year})


def _games(rng: np.random.Generator) -> pd.DataFrame:
    """The better team wins unless it is a draw; no team plays itself."""
    home = rng.integers(1, TEAMS, GAMES, endpoint=True, dtype="int32")
    away = (home - 1 + rng.integers(1, TEAMS, GAMES, dtype="int32")) % TEAMS + 1
    is_draw = rng.random(GAMES) < SHARE_OF_DRAWS
    score = np.select([is_draw, away < home], [DRAW, AWAY_WINS], HOME_WINS)
    return pd.DataFrame({"away_team_id": away, "home_team_id": home, "score": score.astype("int32")})


def _falling_with_rank(rng: np.random.Generator, best: float, rank: np.ndarray, *, variation: float) -> np.ndarray:
    """Positive, `best / rank` on average, with a standard deviation of `variation` times that."""
    shape = variation**-2
    return best / rank * rng.gamma(shape, 1 / shape, len(rank))


def _every_team() -> np.ndarray:
    return np.arange(1, TEAMS + 1, dtype="int32")


def _every_season() -> tuple[np.ndarray, np.ndarray]:
    return np.repeat(_every_team(), len(YEARS)), np.tile(np.array(YEARS, dtype="int32"), TEAMS)
