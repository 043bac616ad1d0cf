"""What a caller may not see is in no plan and in no refusal, whatever is asked."""

import re
from dataclasses import fields

from hypothesis import given, settings
from hypothesis import strategies as st

from app.featurestore.query.expression import CatalogGroup, FeatureExpression, JoinSpec, LabelsSpec
from app.featurestore.query.planner import plan
from infra.errors import GatewayError
from tests.app.catalogs import catalog, group

WORDS = ("team", "rank", "budget", "season", "kickoff")
_WORD = re.compile(r"[a-z]+")


def groups(side: str) -> list[CatalogGroup]:
    """Four groups whose names, features, keys and stores all end on `side`."""
    a, b, c, d = (f"{word}{side}" for word in ("teams", "venues", "results", "ticks"))
    team, rank, budget, season, kickoff = (f"{word}{side}" for word in WORDS)
    project = f"football{side}" if side == "hidden" else "football"
    return [
        group(a, budget, key=(team,), project=project, **{kickoff: "timestamp"}, event_time=kickoff),
        group(b, rank, key=(team, season), project=project),
        group(c, rank, team, key=(season,), project=project, version=2, **{kickoff: "bigint"}, event_time=kickoff),
        group(d, budget, season, key=(kickoff,), project=project, **{kickoff: "date"}, event_time=kickoff),
    ]


VISIBLE, HIDDEN = groups("seen"), groups("hidden")


def names_of(each: CatalogGroup) -> list[str]:
    own = [each.name, f"{each.name}_{each.version}", each.label, f"{each.featurestore}.{each.name}"]
    return [*own, *each.features, *(f"{owner}.{feature}" for owner in own for feature in each.features)]


ALL = sorted({name for each in (*VISIBLE, *HIDDEN) for name in names_of(each)})
name = st.sampled_from(ALL) | st.sampled_from([each[:-1] for each in ALL])
columns = st.lists(name, max_size=2).map(tuple)
joins = st.builds(JoinSpec, columns, columns, st.sampled_from([None, "left", "outer"]), st.sampled_from(["", "x_"]))
kinds = st.sampled_from(["double", "timestamp", "bigint", "string", "void"])
labels = st.builds(
    LabelsSpec,
    st.dictionaries(st.sampled_from(sorted({*VISIBLE[0].features, *HIDDEN[0].features, "other"})), kinds, max_size=4),
    st.none() | name,
    st.none() | columns,
    st.none() | name,
)
expressions = st.builds(
    FeatureExpression,
    features=st.lists(name, min_size=1, max_size=3).map(tuple),
    featurestore=st.none() | st.sampled_from([each.featurestore for each in (VISIBLE[0], HIDDEN[0])]),
    feature_group=st.none() | name,
    version=st.none() | st.just(1),
    feature_group_versions=st.dictionaries(name, st.integers(1, 2), max_size=1),
    join_key=columns,
    joins=st.dictionaries(name, joins, max_size=2),
    labels=st.none() | labels,
    as_of=st.none() | st.integers(0, 9) | st.dictionaries(name, st.integers(0, 9), max_size=2),
    as_known=st.booleans(),
)


@settings(max_examples=500)
@given(expressions)
def test_hidden_names_come_from_the_question_or_not_at_all(expression: FeatureExpression) -> None:
    sent = set(expression.labels.columns) if expression.labels else set()
    asked = {word for part in fields(expression) for word in _WORD.findall(repr(getattr(expression, part.name)))}
    told, candidates = answer(expression, VISIBLE)
    assert {candidate for candidate in candidates if "hidden" in candidate} <= sent
    assert {word for word in _WORD.findall(told) if "hidden" in word} <= asked


def answer(expression: FeatureExpression, seen: list[CatalogGroup]) -> tuple[str, tuple[str, ...]]:
    """What is told, and which names are offered."""
    try:
        made = plan(expression, catalog(*seen))
    except GatewayError as error:
        return f"{error.detail} {error.hint} {error.errors}", error.candidates
    return " ".join(f"{source.group.label} {source.why}" for source in made.sources), ()


def test_the_question_does_find_what_is_not_hidden() -> None:
    """Or the test above would not look."""
    told, _ = answer(FeatureExpression(("rankhidden",)), [*VISIBLE, *HIDDEN])
    assert "venueshidden" in told
    _, candidates = answer(FeatureExpression(("rankhiden",)), [*VISIBLE, *HIDDEN])
    assert "rankhidden" in candidates
