"""A plan as people and programs are told it."""

import pyarrow as pa

from app.featurestore.query.explain import ExplainedGroup, ExplainedKey, ExplainedLabels, explain
from app.featurestore.query.expression import CatalogGroup, JoinSpec
from app.featurestore.query.pinned import PinnedLabels, PinnedTable
from app.featurestore.query.planner import plan
from app.featurestore.query.pruning import NO_TIMES, TimeBounds
from infra.ports.engine import Rows
from infra.ports.tables import DataFile, Snapshot
from tests.app.catalogs import ask, attach, catalog, group

DAY = 86_400_000_000
TEAMS = group("teams", "budget", team_id="bigint", updated="timestamp", event_time="updated")
VENUES = group("venues", "seats", "address", key=("venue", "season"), project="venues", day="date", event_time="day")
COLOURS = group("colours", "shirt", team_id="bigint")
TICKS = group("ticks", "price", team_id="bigint", tick="bigint", event_time="tick")
MATCHES = group(
    "matches",
    key=("match_id",),
    version=2,
    team_id="bigint",
    season="double",
    kickoff="timestamp",
    event_time="kickoff",
)
SEEN = catalog(TEAMS, COLOURS, TICKS, MATCHES, VENUES)
NOWHERE = Rows(pa.schema([]), lambda: pa.RecordBatchReader.from_batches(pa.schema([]), []))


def pinned(group: CatalogGroup, version: int = 7, files: int = 12, kept: int = 2, size: int = 1_000_000) -> PinnedTable:
    schema = pa.schema([(name, pa.int64()) for name in group.features])
    return PinnedTable(Snapshot(version, schema, (), (DataFile("f", size, 1, {}),) * kept), files)


def text_of(expression: object, tables: list[PinnedTable], labels: PinnedLabels | None = None) -> list[str]:
    """The lines before the SQL."""
    explained = explain(plan(expression, SEEN), tables, labels)  # type: ignore[arg-type]
    text, _, sql = explained.text.partition("\n\n")
    assert sql == explained.sql
    return text.splitlines()


def test_groups_joined_with_each_other() -> None:
    asked = ask(
        "budget", "shirt", "seats", joins={"venues": JoinSpec(("budget", "budget"), ("venue", "season"), "left")}
    )
    assert text_of(asked, [pinned(TEAMS, 3), pinned(COLOURS, 0, 1, 1, 900), pinned(VENUES)]) == [
        "3 columns from 3 feature groups, mixed join",
        "├─ football_featurestore.teams_1 (table version 3)",
        "│    columns  team_id, budget",
        "│    reads    2 of 12 files, about 1.3 MB",
        "│    why      only group with the feature",
        "│    allowed  own project",
        "├─ football_featurestore.colours_1 (table version 0)",
        "│    columns  team_id, shirt",
        "│    joined   inner on team_id",
        "│    reads    1 of 1 file, about 900 bytes",
        "│    why      only group with the feature",
        "│    allowed  own project",
        "└─ venues_featurestore.venues_1 (table version 7)",
        "     columns  venue, season, seats",
        "     joined   left on budget = venue, budget = season",
        "     reads    2 of 12 files, about 1.2 MB",
        "     why      only group with the feature",
        "     allowed  share 1",
    ]


def test_a_common_key_is_in_the_heading() -> None:
    assert text_of(ask("budget", "shirt"), [pinned(TEAMS), pinned(COLOURS)])[0] == (
        "2 columns from 2 feature groups, inner join on team_id"
    )
    assert text_of(ask("budget"), [pinned(TEAMS)])[0] == "1 column from 1 feature group"


def test_features_attached_to_labels() -> None:
    sent = {"team_id": "bigint", "year": "double", "stadium": "double", "at": "timestamp", "won": "boolean"}
    joins = {"venues": JoinSpec(("stadium", "year"), ("venue", "season"), lookback=90_000_000)}
    asked = attach("budget", "seats", "shirt", to=sent, at="at", joins=joins, lookback=7 * DAY, as_known=True)
    labels = PinnedLabels(NOWHERE, 1204, TimeBounds(1_471_087_800_000_000, 1_495_375_200_000_005))
    assert text_of(asked, [pinned(TEAMS), pinned(VENUES, size=4_000_000_000), pinned(COLOURS, kept=0)], labels) == [
        "5 columns of the labels, 3 features from 3 feature groups",
        "├─ labels, as sent",
        "│    rows     1,204; each is one row of the answer, in the same order",
        "│    needed   team_id, stadium, year, at",
        "│    time     at, from 2016-08-13T11:30:00Z to 2017-05-21T14:00:00.000005Z",
        "├─ football_featurestore.teams_1 (table version 7)",
        "│    columns  team_id, updated, budget",
        "│    joined   left on team_id",
        "│    takes    the latest row with updated <= at; of equal times the one written last",
        "│             not older than 7 days",
        "│             as known at at: not what was written later",
        "│    reads    2 of 12 files, about 2.0 MB",
        "│    why      only group with the feature",
        "│    allowed  own project",
        "├─ venues_featurestore.venues_1 (table version 7)",
        "│    columns  venue, season, day, seats",
        "│    joined   left on stadium = venue, year = season",
        "│    takes    the latest row with day <= at; of equal times the one written last",
        "│             not older than 1 minute 30 seconds",
        "│             as known at at: not what was written later",
        "│    reads    2 of 12 files, about 6.4 GB",
        "│    why      only group with the feature",
        "│    allowed  share 1",
        "└─ football_featurestore.colours_1 (table version 7)",
        "     columns  team_id, shirt",
        "     joined   left on team_id",
        "     takes    the row written last",
        "              as known at at: not what was written later",
        "     reads    0 of 12 files, about 0 bytes",
        "     why      only group with the feature",
        "     allowed  own project",
    ]


def test_labels_of_a_group() -> None:
    labels = PinnedLabels(pinned(MATCHES, 4).table, 1, TimeBounds(0, 0))
    assert text_of(attach("budget", to="matches", given_back=("match_id",)), [pinned(TEAMS)], labels)[:6] == [
        "1 column of the labels, 1 feature from 1 feature group",
        "├─ labels football_featurestore.matches_2 (table version 4)",
        "│    rows     1; each is one row of the answer, in the same order",
        "│    needed   team_id, kickoff",
        "│    time     kickoff, from 1970-01-01T00:00:00Z to 1970-01-01T00:00:00Z",
        "│    allowed  own project",
    ]
    assert text_of(attach("budget", to="matches"), [pinned(TEAMS)])[1] == "├─ labels football_featurestore.matches_2"


def test_labels_of_which_only_columns_are_known() -> None:
    sent = {"team_id": "bigint", "at": "int"}
    asked = attach("price", to=sent, at="at", lookback=60)
    lines = text_of(asked, [PinnedTable(NOWHERE, 0)], PinnedLabels(NOWHERE, None, None))
    assert lines == [
        "2 columns of the labels, 1 feature from 1 feature group",
        "├─ labels, as sent",
        "│    rows     not counted yet; each is one row of the answer, in the same order",
        "│    needed   team_id, at",
        "│    time     at",
        "└─ football_featurestore.ticks_1 (read at its source)",
        "     columns  team_id, tick, price",
        "     joined   left on team_id",
        "     takes    the latest row with tick <= at; of equal times the one written last",
        "              not older than 60 units",
        "     why      only group with the feature",
        "     allowed  own project",
    ]


def test_labels_that_are_all_there_is() -> None:
    lines = text_of(attach("team_id", to={"team_id": "bigint"}, given_back=()), [], PinnedLabels(NOWHERE, 3, NO_TIMES))
    assert lines == [
        "1 column of the labels, 0 features from 0 feature groups",
        "└─ labels, as sent",
        "     rows     3; each is one row of the answer, in the same order",
        "     needed   team_id",
    ]
    none = attach("shirt", to={"team_id": "bigint"}, given_back=(), joins={"colours": JoinSpec(("team_id",))})
    assert text_of(none, [pinned(COLOURS)], PinnedLabels(NOWHERE, 0, NO_TIMES))[0].startswith("0 columns of the labels")


def test_programs_are_told_the_same() -> None:
    sent = {"home": "bigint", "at": "timestamp", "won": "boolean"}
    joins = {"teams": JoinSpec(("home",), ("team_id",), prefix="home_")}
    asked = attach("budget", to=sent, at="at", given_back=("won",), joins=joins, lookback=DAY)
    labels = PinnedLabels(NOWHERE, 5, TimeBounds(0, DAY))
    explained = explain(plan(asked, SEEN), [pinned(TEAMS, 3)], labels)
    assert (explained.join_key, explained.join_type, explained.columns) == ([], "left", ["won", "home_budget"])
    assert explained.labels == ExplainedLabels(
        columns=["home", "at"],
        event_time="at",
        first_time="1970-01-01T00:00:00Z",
        last_time="1970-01-02T00:00:00Z",
        feature_group=None,
        table_version=None,
        rows=5,
        as_known=False,
        grant=None,
    )
    assert explained.groups == [
        ExplainedGroup(
            project="football",
            featurestore="football_featurestore",
            name="teams",
            version=1,
            table_version=3,
            columns=["team_id", "updated", "budget"],
            on=[ExplainedKey("home", "team_id")],
            join_type="left",
            event_time="updated",
            lookback=DAY,
            files=12,
            files_read=2,
            estimated_bytes=2_000_000,
            why="only group with the feature",
            grant="own project",
        )
    ]


def test_programs_are_told_of_the_labels_group() -> None:
    labels = PinnedLabels(pinned(MATCHES, 4).table, None, None)
    explained = explain(plan(attach("budget", to="matches"), SEEN), [pinned(TEAMS)], labels).labels
    assert explained is not None
    assert (explained.feature_group, explained.table_version, explained.grant) == (MATCHES.label, 4, "own project")
    assert (explained.rows, explained.first_time, explained.last_time) == (None, None, None)
    unpinned = explain(plan(attach("budget", to="matches"), SEEN), [pinned(TEAMS)]).labels
    assert unpinned is not None
    assert (unpinned.rows, unpinned.table_version) == (None, None)


def test_without_labels_there_is_no_time() -> None:
    explained = explain(plan(ask("budget", "shirt"), SEEN), [pinned(TEAMS), pinned(COLOURS)])
    assert explained.labels is None
    assert [(group.event_time, group.join_type) for group in explained.groups] == [(None, None), (None, "inner")]
