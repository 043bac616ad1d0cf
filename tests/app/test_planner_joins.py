"""On what groups are joined with each other, and how."""

import duckdb
import pytest

from app.featurestore.query.errors import JoinKeyNotFoundError
from app.featurestore.query.expression import FeatureExpression, JoinSpec
from app.featurestore.query.lowering import to_program, to_sql
from app.featurestore.query.planner import plan
from app.featurestore.query.plans import Column, KeyPair, LogicalPlan, Source
from infra.errors import InvalidInputError
from tests.app.catalogs import ask, catalog, group

TEAMS = group("teams_features", "team_budget", "team_position")
PLAYERS = group("players_features", "average_player_age", "sum_player_age")
TOUR = catalog(TEAMS, PLAYERS, group("attendances_features", "average_attendance", project="venues"))

COUNTRIES = group("countries", "population", key=("code",), version=2)
CITIES = group("cities", "country", "mayor", key=("city_id",))
MATCHES = group("matches", "home", "city", "score", key=("match_id",))
WORLD = catalog(COUNTRIES, CITIES, MATCHES, TEAMS)


class TestJoinKey:
    def test_composite_keys_join_on_what_they_share(self) -> None:
        seasons = group("seasons", "points", key=("team_id", "season"))
        squads = group("squads", "size", key=("season", "team_id"))
        assert plan(ask("points", "size"), catalog(seasons, squads)).join_key == ("team_id", "season")
        assert plan(ask("points", "team_budget"), catalog(seasons, TEAMS)).join_key == ("team_id",)

    def test_falls_back_to_a_common_column_that_is_a_key_somewhere(self) -> None:
        games = group("games", "team_id", "score", key=("game_id",))
        assert plan(ask("score", "team_budget"), catalog(games, TEAMS)).join_key == ("team_id",)

    def test_a_third_group_with_less_of_the_key_multiplies_nothing(self) -> None:
        seasons, squads = (
            group(name, column, key=("team_id", "season")) for name, column in (("a", "points"), ("b", "size"))
        )
        groups = catalog(seasons, squads, group("c", "city", key=("team_id",)))
        (_, second, third) = plan(ask("points", "size", "city"), groups).sources
        assert second.on == (KeyPair(0, "team_id", "team_id"), KeyPair(0, "season", "season"))
        assert third.on == (KeyPair(0, "team_id", "team_id"),)
        (_, second, third) = plan(ask("city", "points", "size"), groups).sources
        assert second.on == (KeyPair(0, "team_id", "team_id"),)
        assert third.on == (KeyPair(0, "team_id", "team_id"), KeyPair(1, "season", "season"))

    @pytest.mark.parametrize("joins", [{}, {"b": JoinSpec(("k",), ("k",))}])
    def test_has_one_type_on_both_sides(self, joins: dict[str, JoinSpec]) -> None:
        both = catalog(group("a", "x", key=("k",), k="bigint"), group("b", "y", key=("k",), k="string"))
        with pytest.raises(JoinKeyNotFoundError, match=r"'k' is a bigint, .*'k' a string: they would never be equal"):
            plan(ask("x", "y", joins=joins), both)
        for one, other in (("bigint", "int"), ("decimal(5,2)", "decimal(10,3)")):
            alike = catalog(group("a", "x", key=("k",), k=one), group("b", "y", key=("k",), k=other))
            assert plan(ask("x", "y"), alike).join_key == ("k",)

    def test_is_as_asked(self) -> None:
        both = catalog(group("a", "x", "city"), group("b", "y", "city"))
        assert plan(ask("x", "y", join_key=("city",)), both).join_key == ("city",)
        assert plan(ask("x", join_key=("city",)), both).join_key == ()

    def test_must_be_in_every_group(self) -> None:
        with pytest.raises(JoinKeyNotFoundError) as refused:
            plan(ask("team_budget", "average_player_age", join_key=("city",)), TOUR)
        assert refused.value.candidates == ("team_id",)

    def test_absent_names_the_keys_there_are(self) -> None:
        other = group("weather", "rain", "team", key=("day",))
        with pytest.raises(JoinKeyNotFoundError, match=r"teams_features_1 has \(team_id\); .*weather_1 has \(day\)"):
            plan(ask("team_budget", "rain"), catalog(TEAMS, other))

    def test_is_never_a_mere_common_column(self) -> None:
        other = group("weather", "rain", "team_position", key=("day",))
        with pytest.raises(JoinKeyNotFoundError) as refused:
            plan(ask("team_budget", "rain"), catalog(TEAMS, other))
        assert refused.value.candidates == ("team_position",)


def test_keys_may_have_another_name_on_each_side() -> None:
    joins = {"teams_features": JoinSpec(left_on=("home",), right_on=("team_id",))}
    assert plan(ask("score", "team_budget", joins=joins), WORLD) == LogicalPlan(
        sources=(
            Source(MATCHES, ("home", "score"), "only group with the feature"),
            Source(TEAMS, ("team_id", "team_budget"), "only group with the feature", (KeyPair(0, "home", "team_id"),)),
        ),
        columns=(Column("score", 0, "double", "score"), Column("team_budget", 1, "double", "team_budget")),
    )


def test_a_chain_joins_on_columns_of_groups_joined_before() -> None:
    joins = {
        "cities": JoinSpec(("city",), ("city_id",), how="left"),
        "football_featurestore.countries_2": JoinSpec(("country",), ("code",), how="left", prefix="country_"),
        "teams_features": JoinSpec(("home",), ("team_id",)),
    }
    made = plan(ask("score", "mayor", "population", "team_budget", joins=joins), WORLD)
    assert [source.on for source in made.sources] == [
        (),
        (KeyPair(0, "city", "city_id"),),
        (KeyPair(1, "country", "code"),),
        (KeyPair(0, "home", "team_id"),),
    ]
    assert [source.columns for source in made.sources[:2]] == [
        ("city", "home", "score"),
        ("country", "city_id", "mayor"),
    ]
    assert (made.join_key, made.join_type) == ((), "mixed")
    assert to_sql(made, pretty=True) == (
        'SELECT\n  g0."score",\n  g1."mayor",\n  g2."population" AS "country_population",\n  g3."team_budget"\n'
        'FROM "football_featurestore__matches_1" AS g0\n'
        'LEFT JOIN "football_featurestore__cities_1" AS g1\n  ON g0."city" = g1."city_id"\n'
        'LEFT JOIN "football_featurestore__countries_2" AS g2\n  ON g1."country" = g2."code"\n'
        'INNER JOIN "football_featurestore__teams_features_1" AS g3\n  ON g0."home" = g3."team_id"'
    )


def test_groups_without_a_key_of_their_own_share_one() -> None:
    joins = {"cities": JoinSpec(("team_position",), ("city_id",))}
    made = plan(ask("team_budget", "mayor", "average_player_age", joins=joins), catalog(TEAMS, CITIES, PLAYERS))
    assert [source.on for source in made.sources] == [
        (),
        (KeyPair(0, "team_position", "city_id"),),
        (KeyPair(0, "team_id", "team_id"),),
    ]
    assert made.join_key == ()


def test_composite_keys_of_different_names() -> None:
    seasons = group("seasons", "points", key=("team_id", "season"))
    tickets = group("tickets", "sold", key=("team", "year"))
    joins = {"tickets": JoinSpec(("season", "team_id"), ("year", "team"))}
    made = plan(ask("points", "sold", joins=joins), catalog(seasons, tickets))
    assert to_program(made).sql == (
        'SELECT g0."points", g1."sold" FROM "football_featurestore__seasons_1" AS g0 '
        'INNER JOIN "football_featurestore__tickets_1" AS g1 ON g0."season" = g1."year" AND g0."team_id" = g1."team"'
    )


@pytest.mark.parametrize(
    ("join_type", "how", "expected"),
    [("inner", None, "inner"), ("left", None, "left"), ("left", "inner", "mixed"), ("inner", "left", "mixed")],
)
def test_how_is_that_of_the_group_else_that_of_the_query(join_type: str, how: str | None, expected: str) -> None:
    joins = {"players_features": JoinSpec(how=how)} if how else {}
    made = plan(ask("average_attendance", "team_budget", "average_player_age", join_type=join_type, joins=joins), TOUR)
    assert [source.how for source in made.sources[1:]] == [join_type, how or join_type]
    assert (made.join_type, made.join_key) == (expected, ("team_id",))


def test_a_single_group_has_no_kind_of_join() -> None:
    made = plan(ask("team_budget", join_type="left"), TOUR)
    assert (made.join_type, made.join_type_of(made.sources[0])) == ("inner", None)


def test_keys_of_different_lengths_are_no_common_key() -> None:
    seasons = group("seasons", "points", key=("team_id", "season"))
    squads = group("squads", "size", key=("team_id", "season"))
    joins = {"squads": JoinSpec(("team_id", "season"))}
    made = plan(ask("points", "size", "team_budget", joins=joins), catalog(seasons, squads, TEAMS))
    assert [len(source.on) for source in made.sources] == [0, 2, 1]
    assert made.join_key == ()


def test_a_prefix_tells_names_apart() -> None:
    both = catalog(group("a", "x"), group("b", "x"))
    with pytest.raises(InvalidInputError) as refused:
        plan(ask("a.x", "b.x"), both)
    assert refused.value.detail == (
        "There would be two columns 'x': of football_featurestore.a_1 and of football_featurestore.b_1."
    )
    assert refused.value.hint == 'Give one of them a prefix: joins={"b": {"prefix": "b_"}}.'
    for named in ("a", "b"):
        made = plan(ask("a.x", "b.x", joins={named: JoinSpec(prefix=f"{named}_")}), both)
        assert sorted(column.name for column in made.columns) == sorted({"a_x", "b_x"} & {f"{named}_x"} | {"x"})
    with pytest.raises(InvalidInputError, match="two columns 'x_y'"):
        plan(ask("a.y", "b.x_y", joins={"a": JoinSpec(prefix="x_")}), catalog(group("a", "y"), group("b", "x_y")))


def test_a_hundred_features_of_twenty_groups_are_one_statement() -> None:
    groups = [group(f"g{number}", *(f"f{number}_{index}" for index in range(5))) for number in range(20)]
    names = [f"f{number}_{index}" for index in range(5) for number in range(20)]
    made = plan(ask(*names), catalog(*groups))
    assert [len(source.columns) for source in made.sources] == [6] * 20
    program = to_program(made)
    assert (program.steps, program.sql.count(" JOIN "), program.sql.count("SELECT")) == ((), 19, 1)
    with duckdb.connect() as connection:
        for number, each in enumerate(groups):
            values = ", ".join(
                f"({row}, {', '.join(str(number * 100 + row + i) for i in range(5))})" for row in range(3)
            )
            connection.execute(
                f'CREATE TABLE "football_featurestore__g{number}_1" AS FROM (VALUES {values}) t({", ".join(each.features)})'
            )
        answer = connection.execute(program.sql)
        assert [column[0] for column in answer.description] == names
        rows = sorted(answer.fetchall())
    assert rows == [tuple(n * 100 + row + i for i in range(5) for n in range(20)) for row in range(3)]


class TestRefusals:
    @pytest.mark.parametrize(
        "options", [{"join_type": "outer"}, {"joins": {"players_features": JoinSpec(how="cross")}}]
    )
    def test_a_join_of_another_kind(self, options: dict[str, object]) -> None:
        with pytest.raises(InvalidInputError, match=r"'(outer|cross)' is no join\.") as refused:
            plan(ask("team_budget", "average_player_age", **options), TOUR)
        assert refused.value.candidates == ("inner", "left")

    def test_a_join_of_a_group_that_is_not_read(self) -> None:
        with pytest.raises(InvalidInputError) as refused:
            plan(ask("team_budget", joins={"players_features": JoinSpec(("team_id",))}), TOUR)
        assert refused.value.detail == "joins names 'players_features', which is none of the groups read."
        assert refused.value.candidates == (TEAMS.label,)

    def test_a_name_of_two_groups(self) -> None:
        newer = group("teams_features", "team_wins", version=2)
        with pytest.raises(InvalidInputError) as refused:
            plan(ask("team_wins", "team_budget", joins={"teams_features": JoinSpec()}), catalog(TEAMS, newer))
        assert refused.value.detail == "joins names 'teams_features', which is more than one of the groups read."
        assert refused.value.candidates == (newer.label, TEAMS.label)

    def test_two_names_of_one_group(self) -> None:
        joins = {"teams_features": JoinSpec(prefix="a_"), "teams_features_1": JoinSpec(prefix="b_")}
        with pytest.raises(InvalidInputError, match=r"joins names football_featurestore\.teams_features_1 twice\."):
            plan(ask("team_budget", joins=joins), TOUR)

    @pytest.mark.parametrize("spec", [JoinSpec(left_on=("team_id",)), JoinSpec(how="left")])
    def test_how_the_first_group_is_joined(self, spec: JoinSpec) -> None:
        asked = ask("team_budget", "average_player_age", joins={"teams_features": spec})
        with pytest.raises(InvalidInputError, match=r"teams_features_1 is joined, and it is the first") as refused:
            plan(asked, TOUR)
        assert "ask for one of another group first" in (refused.value.hint or "")

    @pytest.mark.parametrize(("left", "right"), [((), ("team_id",)), (("home", "city"), ("team_id",))])
    def test_columns_without_a_counterpart(self, left: tuple[str, ...], right: tuple[str, ...]) -> None:
        joins = {"teams_features": JoinSpec(left, right)}
        with pytest.raises(InvalidInputError, match=f"{len(left)} columns in left_on and 1 in right_on"):
            plan(ask("score", "team_budget", joins=joins), WORLD)

    def test_a_left_column_that_no_group_before_has(self) -> None:
        joins = {
            "cities": JoinSpec(("team_budget",), ("city_id",)),
            "teams_features": JoinSpec(("home",), ("team_id",)),
        }
        with pytest.raises(JoinKeyNotFoundError) as refused:
            plan(ask("score", "mayor", "team_budget", joins=joins), WORLD)
        assert refused.value.detail.startswith(f"No group before {CITIES.label} has a column 'team_budget'")
        assert refused.value.candidates == tuple(MATCHES.features)

    def test_a_right_column_that_the_group_does_not_have(self) -> None:
        joins = {"teams_features": JoinSpec(("home",), ("id",))}
        with pytest.raises(JoinKeyNotFoundError, match=r"teams_features_1 has no column 'id' to join on") as refused:
            plan(ask("score", "team_budget", joins=joins), WORLD)
        assert refused.value.candidates == ("team_id",)

    @pytest.mark.parametrize(
        "options", [{"as_known": True}, {"lookback": 0}, {"joins": {"teams_features": JoinSpec(lookback=1)}}]
    )
    def test_what_is_about_labels(self, options: dict[str, object]) -> None:
        with pytest.raises(InvalidInputError, match="are about labels, and there are none"):
            plan(FeatureExpression(("team_budget",), **options), TOUR)  # type: ignore[arg-type]
