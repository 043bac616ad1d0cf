"""Features attached to labels: by what, at which time, giving which columns."""

import pytest

from app.featurestore.feature_groups.errors import FeatureGroupNotFoundError
from app.featurestore.query.errors import (
    FeatureAmbiguousError,
    FeatureNotFoundError,
    JoinKeyNotFoundError,
    LabelsInvalidError,
)
from app.featurestore.query.expression import JoinSpec
from app.featurestore.query.lowering import to_program, to_sql
from app.featurestore.query.planner import plan
from app.featurestore.query.plans import LABELS, Column, KeyPair, Labels, LogicalPlan, Source
from infra.errors import InvalidInputError
from tests.app.catalogs import ask, attach, catalog, group

TEAMS = group("teams", "budget", "rank", team_id="bigint", updated="timestamp", event_time="updated")
VENUES = group(
    "venues",
    "seats",
    key=("team_id", "season"),
    project="venues",
    team_id="int",
    season="int",
    day="date",
    event_time="day",
)
COLOURS = group("colours", "shirt", team_id="bigint")
RESULTS = group(
    "results", "goals", key=("match_id",), team_id="bigint", season="int", kickoff="timestamp", event_time="kickoff"
)
TICKS = group("ticks", "price", key=("team_id", "tick"), team_id="bigint", tick="bigint", event_time="tick")
SEEN = catalog(TEAMS, COLOURS, RESULTS, TICKS, VENUES)
SENT = {"team_id": "bigint", "season": "smallint", "at": "timestamp", "won": "boolean"}
ONLY = "only group with the feature"


def test_each_group_is_attached_by_its_own_key_and_time() -> None:
    made = plan(attach("budget", "seats", "shirt", to=SENT, at="at", lookback=5), SEEN)
    assert made == LogicalPlan(
        sources=(
            Source(TEAMS, ("team_id", "updated", "budget"), ONLY, (KeyPair(LABELS, "team_id", "team_id"),), lookback=5),
            Source(
                VENUES,
                ("team_id", "season", "day", "seats"),
                ONLY,
                (KeyPair(LABELS, "team_id", "team_id"), KeyPair(LABELS, "season", "season")),
                lookback=5,
            ),
            Source(COLOURS, ("team_id", "shirt"), ONLY, (KeyPair(LABELS, "team_id", "team_id"),), lookback=None),
        ),
        columns=(
            *(Column(name, LABELS, kind, name) for name, kind in SENT.items()),
            Column("budget", 0, "double", "budget"),
            Column("seats", 1, "double", "seats"),
            Column("shirt", 2, "double", "shirt"),
        ),
        labels=Labels(SENT, "at", tuple(SENT)),
    )
    assert made.join_type == "left"
    assert {made.join_type_of(source) for source in made.sources} == {"left"}


def test_the_event_time_is_no_part_of_the_key() -> None:
    made = plan(attach("price", to={"team_id": "bigint", "at": "bigint"}, at="at"), SEEN)
    assert made.sources[0].on == (KeyPair(LABELS, "team_id", "team_id"),)


def test_only_what_is_needed_is_read_where_nothing_else_is_given_back() -> None:
    made = plan(attach("budget", to=SENT, at="at", given_back=()), SEEN)
    assert made.labels == Labels({"team_id": "bigint", "at": "timestamp"}, "at", ())
    assert made.columns == (Column("budget", 0, "double", "budget"),)
    made = plan(attach("budget", to=SENT, at="at", given_back=("won", "won")), SEEN)
    assert [column.name for column in made.columns] == ["won", "budget"]


def test_an_asked_key_is_the_labels_own_and_adds_no_group() -> None:
    made = plan(attach("shirt", "season", "team_id", to=SENT, given_back=()), SEEN)
    assert [source.group for source in made.sources] == [COLOURS]
    assert made.labels is not None
    assert made.labels.asked == ("season", "team_id")
    assert made.columns == (
        Column("shirt", 0, "double", "shirt"),
        Column("season", LABELS, "smallint", "season"),
        Column("team_id", LABELS, "bigint", "team_id"),
    )
    assert made.needed_of_labels(made.labels) == ["team_id", "season"]
    whole = plan(attach("shirt", "season", to=SENT), SEEN)
    assert [column.name for column in whole.columns] == [*SENT, "shirt"], "and comes once"
    assert whole.labels is not None
    assert whole.needed_of_labels(whole.labels) == ["team_id", "season"], "even where all are given back"


def test_keys_alone_read_no_group_at_all() -> None:
    made = plan(attach("team_id", to=SENT, given_back=()), SEEN)
    assert made.sources == ()
    assert to_program(made).sql == 'SELECT l."team_id" AS "team_id" FROM "labels" AS l ORDER BY l."write order"'
    assert to_sql(made, "spark") == "SELECT l.`team_id` AS `team_id` FROM `labels` AS l ORDER BY l.`write order`"


def test_a_qualified_key_is_that_of_the_group() -> None:
    made = plan(attach("teams.team_id", to=SENT, at="at", given_back=()), SEEN)
    assert made.columns == (Column("team_id", 0, "bigint", "team_id"),)


def test_a_column_of_the_labels_that_is_no_key_is_a_feature_as_asked() -> None:
    with pytest.raises(
        InvalidInputError, match=r"two columns 'rank': of the labels and of football_featurestore.teams_1"
    ):
        plan(attach("rank", to=SENT | {"rank": "int"}, at="at"), SEEN)
    joins = {"teams": JoinSpec(prefix="team_")}
    made = plan(attach("rank", to=SENT | {"rank": "int"}, at="at", joins=joins), SEEN)
    assert [column.name for column in made.columns] == [*SENT, "rank", "team_rank"]
    clashing = attach("son", "season", to=SENT, at="at", given_back=(), joins={"teams": JoinSpec(prefix="sea")})
    with pytest.raises(InvalidInputError, match=r"'season': of football_featurestore.teams_1 and of the labels"):
        plan(clashing, catalog(group("teams", "son", team_id="bigint"), VENUES))


def test_keys_may_have_another_name_in_the_labels() -> None:
    sent = {"home": "bigint", "away": "bigint", "year": "int", "at": "date"}
    joins = {
        "teams": JoinSpec(("away",), ("team_id",), lookback=0),
        "venues": JoinSpec(("home", "year"), ("team_id", "season")),
        "colours": JoinSpec(("home",), ("team_id",), lookback=3),
    }
    made = plan(attach("budget", "seats", "shirt", to=sent, at="at", joins=joins, lookback=9), SEEN)
    assert [[(pair.left, pair.right) for pair in source.on] for source in made.sources] == [
        [("away", "team_id")],
        [("home", "team_id"), ("year", "season")],
        [("home", "team_id")],
    ]
    assert [source.lookback for source in made.sources] == [0, 9, None], "a group without event time has none"
    assert made.join_key == ()


def test_left_on_alone_means_the_same_names() -> None:
    made = plan(attach("shirt", to=SENT, joins={"colours": JoinSpec(("team_id",))}), SEEN)
    assert (made.join_key, made.sources[0].on) == (("team_id",), (KeyPair(LABELS, "team_id", "team_id"),))


def test_a_join_key_is_for_every_group() -> None:
    made = plan(attach("seats", "budget", to=SENT, at="at", join_key=("team_id",)), SEEN)
    assert made.join_key == ("team_id",)
    assert made.sources[0].columns == ("team_id", "day", "seats")


class TestLabelsOfAGroup:
    def test_are_its_columns_and_its_event_time(self) -> None:
        made = plan(attach("budget", to="results"), SEEN)
        assert made.labels == Labels(RESULTS.features, "kickoff", tuple(RESULTS.features), group=RESULTS)
        assert [column.name for column in made.columns] == [
            "match_id",
            "goals",
            "team_id",
            "season",
            "kickoff",
            "budget",
        ]

    def test_may_be_given_another_event_time_and_fewer_columns(self) -> None:
        made = plan(attach("price", to="results", at="season", given_back=("goals",)), SEEN)
        assert made.labels == Labels(
            {"goals": "double", "team_id": "bigint", "season": "int"}, "season", ("goals",), group=RESULTS
        )

    @pytest.mark.parametrize(
        "name", ["results", "results_1", "football_featurestore.results", "football_featurestore.results_1"]
    )
    def test_are_called_as_any_group(self, name: str) -> None:
        made = plan(attach("budget", to=name), SEEN)
        assert made.labels is not None
        assert made.labels.group is RESULTS

    def test_are_of_the_own_project_and_the_latest_version(self) -> None:
        key = {"team_id": "bigint"}
        theirs, older, newer = (
            group("results", "x", project="venues", version=9, **key),
            group("results", "x", version=2, **key),
            group("results", "x", version=3, **key),
        )
        for name, expected in (("results", newer), ("results_2", older), ("venues_featurestore.results", theirs)):
            made = plan(attach("shirt", to=name), catalog(COLOURS, older, newer, theirs))
            assert made.labels is not None
            assert made.labels.group is expected

    def test_may_be_a_group_that_features_are_read_of_too(self) -> None:
        made = plan(attach("goals", to="results", given_back=("match_id",), as_of=4), SEEN)
        assert [source.group for source in made.sources] == [RESULTS]
        assert made.sources[0].on == (KeyPair(LABELS, "match_id", "match_id"),)
        assert made.labels is not None
        assert (made.labels.as_of, made.sources[0].as_of) == (4, 4), "one group, one version"

    def test_are_read_in_the_state_asked_for(self) -> None:
        made = plan(attach("budget", to="results", as_of={"results_1": 3}), SEEN)
        assert made.labels is not None
        assert (made.labels.as_of, made.sources[0].as_of) == (3, None)

    def test_that_are_not_there_get_near_misses(self) -> None:
        with pytest.raises(FeatureGroupNotFoundError) as refused:
            plan(attach("budget", to="football_featurestore.result"), SEEN)
        assert refused.value.candidates == (RESULTS.label,)


class TestColumnsOfNulls:
    """Arrow calls them null: nobody knows what type was meant."""

    def test_take_the_type_of_what_they_are_compared_with(self) -> None:
        sent = {"team_id": "void", "season": "void", "at": "void", "note": "void"}
        made = plan(attach("seats", to=sent, at="at"), SEEN)
        assert made.labels is not None
        assert made.labels.columns == {"team_id": "int", "season": "int", "at": "date", "note": "tinyint"}
        assert [column.type for column in made.columns] == ["int", "int", "date", "tinyint", "double"]

    def test_take_any_where_they_are_compared_with_nothing(self) -> None:
        made = plan(attach("shirt", to={"team_id": "void", "at": "void"}, at="at"), SEEN)
        assert made.labels is not None
        assert made.labels.columns == {"team_id": "bigint", "at": "timestamp"}

    def test_are_moments_where_writing_is_compared_with(self) -> None:
        made = plan(attach("shirt", to={"team_id": "bigint", "at": "void"}, at="at", as_known=True), SEEN)
        assert made.labels is not None
        assert (made.labels.columns["at"], made.labels.as_known) == ("timestamp", True)
        with pytest.raises(LabelsInvalidError, match="for us to guess"):
            plan(attach("price", to={"team_id": "bigint", "at": "void"}, at="at", as_known=True), SEEN)

    def test_fit_numbers_and_moments(self) -> None:
        made = plan(attach("price", to={"team_id": "bigint", "at": "void"}, at="at"), SEEN)
        assert made.labels is not None
        assert made.labels.columns["at"] == "bigint"


class TestRefusals:
    def test_a_group_without_a_key_besides_its_event_time(self) -> None:
        ticker = group("ticker", "index", key=("tick",), tick="bigint", event_time="tick")
        with pytest.raises(JoinKeyNotFoundError) as refused:
            plan(attach("index", to={"tick": "bigint"}, at="tick"), catalog(ticker))
        assert refused.value.detail == (
            "football_featurestore.ticker_1 has no key besides its event time, so nothing says which of its rows are of "
            "which label."
        )
        assert refused.value.candidates == ("tick", "index")
        made = plan(
            attach(
                "index", to={"tick": "bigint", "n": "double"}, at="tick", joins={"ticker": JoinSpec(("n",), ("index",))}
            ),
            catalog(ticker),
        )
        assert made.sources[0].on == (KeyPair(LABELS, "n", "index"),)

    def test_labels_without_the_key(self) -> None:
        with pytest.raises(JoinKeyNotFoundError) as refused:
            plan(attach("seats", to={"team_id": "int", "at": "date"}, at="at"), SEEN)
        assert refused.value.detail == (
            "venues_featurestore.venues_1 is attached by (team_id, season), and the labels have no column 'season'."
        )
        assert refused.value.candidates == ("team_id", "at")
        assert 'joins={"venues": {"left_on"' in (refused.value.hint or "")

    @pytest.mark.parametrize(
        "options", [{"join_key": ("won",)}, {"joins": {"colours": JoinSpec(("team_id",), ("won",))}}]
    )
    def test_a_group_without_the_column(self, options: dict[str, object]) -> None:
        with pytest.raises(JoinKeyNotFoundError, match=r"colours_1 has no column 'won' to join on") as refused:
            plan(attach("shirt", to=SENT, **options), SEEN)
        assert refused.value.candidates == ("team_id",)

    @pytest.mark.parametrize(
        "kind", ["string", "double", "decimal(10,0)", "timestamp", "date", "boolean", "duration[ns]"]
    )
    def test_keys_that_would_never_be_equal(self, kind: str) -> None:
        with pytest.raises(JoinKeyNotFoundError) as refused:
            plan(attach("shirt", to={"team_id": kind}), SEEN)
        assert refused.value.detail == (
            f"The labels' 'team_id' is a {kind}, football_featurestore.colours_1's 'team_id' a bigint: "
            "they would never be equal."
        )
        assert refused.value.hint == "Make 'team_id' a bigint first."

    @pytest.mark.parametrize("kind", ["tinyint", "smallint", "int", "bigint", "void"])
    def test_but_whole_numbers_are_alike(self, kind: str) -> None:
        plan(attach("shirt", to={"team_id": kind}), SEEN)

    def test_labels_without_a_time_for_a_group_with_one(self) -> None:
        with pytest.raises(LabelsInvalidError) as refused:
            plan(attach("budget", to=SENT), SEEN)
        assert refused.value.detail == (
            "football_featurestore.teams_1 has the event time 'updated', and the labels name none to compare it with."
        )
        assert 'event_time="…"' in (refused.value.hint or "")

    @pytest.mark.parametrize(("feature", "kind"), [("price", "timestamp"), ("price", "date"), ("budget", "bigint")])
    def test_numbers_against_moments(self, feature: str, kind: str) -> None:
        with pytest.raises(
            LabelsInvalidError, match=f"event time 'at' is a {kind}, that of .* a (bigint|timestamp): which"
        ):
            plan(attach(feature, to={"team_id": "bigint", "at": kind}, at="at"), SEEN)

    @pytest.mark.parametrize(("feature", "kind"), [("seats", "timestamp"), ("budget", "date"), ("price", "int")])
    def test_but_moments_are_alike_and_numbers_are(self, feature: str, kind: str) -> None:
        plan(attach(feature, to={"team_id": "bigint", "season": "int", "at": kind}, at="at"), SEEN)

    @pytest.mark.parametrize("kind", ["string", "double", "boolean"])
    def test_an_event_time_that_is_none(self, kind: str) -> None:
        with pytest.raises(LabelsInvalidError, match=f"event time 'at' is a {kind}; it must be a TIMESTAMP") as refused:
            plan(attach("budget", to={"team_id": "bigint", "at": kind}, at="at"), SEEN)
        assert 'pd.to_datetime(labels["at"], utc=True)' in (refused.value.hint or "")

    @pytest.mark.parametrize("options", [{"at": "when"}, {"given_back": ("team_id", "when")}])
    def test_columns_that_the_labels_do_not_have(self, options: dict[str, object]) -> None:
        with pytest.raises(LabelsInvalidError, match=r"The labels have no column 'when'\.") as refused:
            plan(attach("shirt", to=SENT, **options), SEEN)
        assert refused.value.candidates == tuple(SENT)

    @pytest.mark.parametrize(("kind", "at"), [("bigint", "at"), ("timestamp", None)])
    def test_what_was_known_at_no_moment(self, kind: str, at: str | None) -> None:
        with pytest.raises(LabelsInvalidError, match="as_known compares when rows were written"):
            plan(attach("shirt", to={"team_id": "bigint", "at": kind}, at=at, as_known=True), SEEN)

    def test_what_would_be_refused_without_labels_too(self) -> None:
        with pytest.raises(FeatureNotFoundError):
            plan(attach("budgit", to=SENT, at="at"), SEEN)
        with pytest.raises(FeatureAmbiguousError):
            plan(attach("budget", to=SENT, at="at"), catalog(TEAMS, group("other", "budget")))
        with pytest.raises(FeatureAmbiguousError):
            plan(ask("team_id"), SEEN)


@pytest.mark.parametrize("inner", [{"join_type": "inner"}, {"joins": {"teams": JoinSpec(how="inner")}}])
def test_labels_are_never_dropped_by_a_join(inner: dict[str, object]) -> None:
    teams = group("teams", "budget", team_id="bigint")
    with pytest.raises(InvalidInputError, match="never inner"):
        plan(attach("budget", to={"team_id": "bigint"}, **inner), catalog(teams))
    asked = attach("budget", to={"team_id": "bigint"}, join_type="left", joins={"teams": JoinSpec(how="left")})
    assert plan(asked, catalog(teams)).join_type == "left"
