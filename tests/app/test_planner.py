"""Which groups features are read of. Plans are values: tests compare them whole, or the SQL they become."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.featurestore.query.errors import (
    FeatureAmbiguousError,
    FeatureNotFoundError,
    FeatureStoreNotFoundError,
)
from app.featurestore.query.expression import FeatureExpression
from app.featurestore.query.lowering import to_sql
from app.featurestore.query.planner import plan, plan_group
from app.featurestore.query.plans import Column, KeyPair, LogicalPlan, Source
from infra.errors import InvalidInputError
from tests.app.catalogs import ask, catalog, group

TEAMS = group("teams_features", "team_budget", "team_position")
PLAYERS = group("players_features", "average_player_age", "sum_player_age")
ATTENDANCES = group("attendances_features", "average_attendance", project="venues")
TOUR = catalog(TEAMS, PLAYERS, ATTENDANCES)


def test_features_of_three_groups_are_joined_on_their_common_key() -> None:
    on_team = (KeyPair(0, "team_id", "team_id"),)
    assert plan(ask("average_attendance", "team_budget", "average_player_age"), TOUR) == LogicalPlan(
        sources=(
            Source(ATTENDANCES, ("team_id", "average_attendance"), "only group with the feature"),
            Source(TEAMS, ("team_id", "team_budget"), "only group with the feature", on_team),
            Source(PLAYERS, ("team_id", "average_player_age"), "only group with the feature", on_team),
        ),
        columns=(
            Column("average_attendance", 0, "double", "average_attendance"),
            Column("team_budget", 1, "double", "team_budget"),
            Column("average_player_age", 2, "double", "average_player_age"),
        ),
    )


def test_the_sql_names_and_quotes_everything() -> None:
    made = plan(ask("average_attendance", "team_budget", "team_id"), TOUR)
    assert to_sql(made, pretty=True) == (
        'SELECT\n  g0."average_attendance",\n  g1."team_budget",\n  g0."team_id"\n'
        'FROM "venues_featurestore__attendances_features_1" AS g0\n'
        'INNER JOIN "football_featurestore__teams_features_1" AS g1\n  ON g0."team_id" = g1."team_id"'
    )
    assert to_sql(made, "spark").count("`") == 14


def test_one_group_needs_no_join() -> None:
    made = plan(ask("sum_player_age", "average_player_age"), TOUR)
    assert (made.join_key, [source.group for source in made.sources]) == ((), [PLAYERS])
    assert (
        to_sql(made)
        == 'SELECT g0."sum_player_age", g0."average_player_age" FROM "football_featurestore__players_features_1" AS g0'
    )


def test_the_latest_version_that_has_the_feature_is_preferred() -> None:
    newer = group("teams_features", "team_budget", version=3)
    older = group("teams_features", "team_budget", version=2)
    made = plan(ask("team_budget", "team_position"), catalog(TEAMS, newer, older))
    assert [(source.group.version, source.why) for source in made.sources] == [
        (3, "latest of 3 versions"),
        (1, "only group with the feature"),
    ]


def test_the_own_project_is_preferred() -> None:
    own = group("attendances", "average_attendance")
    made = plan(ask("average_attendance"), catalog(own, ATTENDANCES))
    assert [(source.group.project, source.why) for source in made.sources] == [("football", "own project preferred")]


@pytest.mark.parametrize(
    "options",
    [
        {"featurestore": "venues_featurestore"},
        {"feature_group": "attendances_features"},
        {"feature_group_versions": {"attendances_features": 1}},
    ],
)
def test_a_named_group_or_store_beats_the_preference(options: dict[str, object]) -> None:
    own = group("attendances", "average_attendance")
    made = plan(ask("average_attendance", **options), catalog(own, ATTENDANCES))
    assert made.sources[0].group is ATTENDANCES


@pytest.mark.parametrize(
    "name",
    [
        "attendances_features.average_attendance",
        "attendances_features_1.average_attendance",
        "venues_featurestore.attendances_features.average_attendance",
        "venues_featurestore.attendances_features_1.average_attendance",
    ],
)
def test_a_qualified_name_is_clear(name: str) -> None:
    made = plan(ask(name), catalog(group("attendances", "average_attendance"), ATTENDANCES))
    assert made.sources[0].group is ATTENDANCES
    assert made.columns == (Column("average_attendance", 0, "double", "average_attendance"),)
    assert made.sources[0].why.startswith("named ")


def test_a_version_pins() -> None:
    newer = group("teams_features", "team_budget", version=2)
    for options in (
        {"version": 1, "feature_group": "teams_features"},
        {"feature_group_versions": {"teams_features": 1}},
    ):
        assert plan(ask("team_budget", **options), catalog(TEAMS, newer)).sources[0].group is TEAMS


def test_a_key_comes_from_a_group_that_is_read_anyway() -> None:
    made = plan(ask("team_id", "team_budget", "average_player_age"), TOUR)
    assert made.columns[0] == Column("team_id", 0, "double", "team_id")
    assert [source.group for source in made.sources] == [TEAMS, PLAYERS]
    alone = plan(ask("team_id", "average_attendance"), TOUR)
    assert [source.group for source in alone.sources] == [ATTENDANCES], "no join for the key's sake"


def test_an_ambiguous_name_lists_names_that_would_be_clear() -> None:
    other = group("budgets", "team_budget")
    with pytest.raises(FeatureAmbiguousError) as refused:
        plan(ask("team_budget"), catalog(TEAMS, other, ATTENDANCES))
    assert refused.value.candidates == ("teams_features_1.team_budget", "budgets_1.team_budget")
    for candidate in refused.value.candidates:
        plan(ask(candidate), catalog(TEAMS, other, ATTENDANCES))


def test_candidates_stay_clear_where_two_stores_use_the_same_names() -> None:
    same = [group("g", "f", project=project) for project in ("venues", "rivals")]
    with pytest.raises(FeatureAmbiguousError) as refused:
        plan(ask("f"), catalog(*same))
    assert refused.value.candidates == ("venues_featurestore.g_1.f", "rivals_featurestore.g_1.f")


def test_a_missing_name_gets_near_misses() -> None:
    with pytest.raises(FeatureNotFoundError) as refused:
        plan(ask("average_atendance"), TOUR)
    assert refused.value.candidates[0] == "average_attendance"
    with pytest.raises(FeatureNotFoundError) as refused:
        plan(ask("teams_features.average_attendance"), TOUR)
    assert refused.value.candidates == ("attendances_features_1.average_attendance",)
    with pytest.raises(FeatureNotFoundError) as refused:
        plan(ask("zzz"), catalog())
    assert refused.value.candidates == ()


def test_a_missing_store_gets_the_readable_ones() -> None:
    with pytest.raises(FeatureStoreNotFoundError) as refused:
        plan(ask("team_budget", featurestore="nope"), TOUR)
    assert refused.value.candidates == ("football_featurestore", "venues_featurestore")


def test_asking_twice_answers_once() -> None:
    for again in ("team_budget", "teams_features.team_budget"):
        assert [column.name for column in plan(ask("team_budget", again), TOUR).columns] == ["team_budget"]


def test_asking_for_nothing_or_too_much_is_refused() -> None:
    for features in ((), tuple(f"f{number}" for number in range(2001))):
        with pytest.raises(InvalidInputError):
            plan(ask(*features), TOUR)


def test_a_whole_group_keeps_its_order_and_takes_a_choice_of_columns() -> None:
    assert [column.name for column in plan_group(TEAMS, ()).columns] == ["team_id", "team_budget", "team_position"]
    assert [column.name for column in plan_group(TEAMS, ["team_position", "team_id"]).columns] == [
        "team_position",
        "team_id",
    ]
    with pytest.raises(InvalidInputError) as refused:
        plan_group(TEAMS, ["nope"])
    assert refused.value.candidates == ("team_id", "team_budget", "team_position")


@given(
    st.permutations(["average_attendance", "team_budget", "average_player_age", "team_id", "sum_player_age"]),
    st.integers(1, 5),
)
def test_the_order_asked_is_the_order_answered(names: list[str], count: int) -> None:
    asked = names[:count]
    if asked == ["team_id"]:
        with pytest.raises(FeatureAmbiguousError):
            plan(ask(*asked), TOUR)
        return
    assert [column.name for column in plan(ask(*asked), TOUR).columns] == asked


@given(st.text(min_size=1, max_size=40))
def test_no_name_reaches_the_sql_unquoted(name: str) -> None:
    odd = group("odd", name)
    try:
        sql = to_sql(plan(FeatureExpression((f"odd.{name}",)), catalog(odd)))
    except FeatureNotFoundError:  # a dot in the name makes another owner of it
        assert "." in name
        return
    assert '"' + name.replace('"', '""') + '"' in sql
