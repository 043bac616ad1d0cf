"""Cases of few keys and few times, so that equal ones are common."""

import random
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from app.featurestore.query.expression import FeatureExpression, JoinSpec, LabelsSpec
from tests.property.brute_force import Row
from tests.property.cases import Case, Group, Question, Rows, World, group
from tests.property.times import KEY_TYPES, LABEL_MOMENTS, LABEL_NUMBERS, MOMENTS, NO_TIMES, NUMBERS, KeyType

HUGE: Final = 2**63 - 1


def compared(queries: int) -> settings:
    return settings(
        max_examples=queries,
        # A busy machine is no failure.
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        # Explaining a failure takes longer than finding it, and says little where there is much data.
        phases=[each for each in Phase if each is not Phase.explain],
    )


@st.composite
def cases(draw: st.DrawFn, times: Sequence[str | None], *, as_known: bool = False) -> Case:
    """`times` are the event times that groups may have; None is a group without."""
    first = draw(st.sampled_from(times))
    domain = NUMBERS if first == "bigint" else MOMENTS
    moments = draw(st.lists(st.sampled_from(domain), min_size=1, max_size=4, unique=True))
    alike = [each for each in times if each is None or (each == "bigint") == (first == "bigint")]
    question = draw(_questions([first, *draw(st.lists(st.sampled_from(alike), max_size=2))], moments, as_known))
    fewest, most = draw(st.sampled_from([(1, 1), (10, 16)]))
    worlds = st.lists(_worlds(question, moments, draw(st.sampled_from([0, 6]))), min_size=fewest, max_size=most)
    return Case(question, tuple(draw(worlds)))


@st.composite
def _questions(draw: st.DrawFn, times: Sequence[str | None], moments: Sequence[int], as_known: bool) -> Question:
    key_types = tuple(draw(st.lists(st.sampled_from(KEY_TYPES), min_size=1, max_size=2)))
    groups = tuple(draw(_groups(name, time, key_types)) for name, time in zip("gab", times, strict=False))
    label_times = LABEL_NUMBERS if times[0] == "bigint" else LABEL_MOMENTS
    return Question(
        key_types,
        tuple(draw(st.sampled_from(each.arrow)) for each in key_types),
        draw(st.sampled_from([*(each for each in label_times if each.near(moments)), NO_TIMES])),
        groups,
        draw(_expressions(groups, moments, as_known)),
    )


@st.composite
def _groups(draw: st.DrawFn, name: str, time: str | None, key_types: Sequence[KeyType]) -> Group:
    keys = draw(st.sampled_from([(0,), *([(0, 1), (1, 0), (1,)] if len(key_types) > 1 else [])]))
    prefix = draw(st.sampled_from(["", f"{name}_"]))
    types = {f"{prefix}k{each}": draw(st.sampled_from(key_types[each].hive)) for each in keys}
    return group(name, time, keys, types, time_is_key=draw(st.booleans()))


@st.composite
def _expressions(draw: st.DrawFn, groups: Sequence[Group], moments: Sequence[int], as_known: bool) -> FeatureExpression:
    differences = {abs(one - other) for one in moments for other in moments}
    ages = {0, 1, HUGE, *(min(max(0, each + step), HUGE) for each in differences for step in (-1, 0, 1))}
    lookbacks = st.one_of(st.none(), st.sampled_from(sorted(ages)))
    joins, features = {}, []
    for each in groups:
        name, columns = each.catalog.name, tuple(f"k{key}" for key in each.keys)
        on = ((), ()) if columns == each.names and draw(st.booleans()) else (columns, each.names)
        joins[name] = JoinSpec(*on, prefix=f"{name}_", lookback=draw(lookbacks))
        asked = draw(st.lists(st.sampled_from(list(each.catalog.features)), min_size=1, max_size=3, unique=True))
        features += [f"{name}.{feature}" for feature in asked]
    is_timed = as_known or any(each.time for each in groups) or draw(st.booleans())
    given_back = draw(st.sampled_from([("n",), (), ("t", "n", "k0")]))
    labels = LabelsSpec(event_time="t" if is_timed else None, given_back=given_back)
    return FeatureExpression(tuple(features), joins=joins, lookback=draw(lookbacks), as_known=as_known, labels=labels)


def _worlds(question: Question, moments: Sequence[int], fewest: int) -> st.SearchStrategy[World]:
    keys = [
        st.none() if pa.types.is_null(arrow) else st.sampled_from(key.common)
        for key, arrow in zip(question.key_types, question.label_types, strict=True)
    ]
    near = question.time.near(moments)
    labels = st.lists(st.tuples(*keys, st.sampled_from([*near, *near, None])), max_size=30)
    rows = (_rows(each, question, moments, fewest) for each in question.groups)
    return st.builds(World, labels.map(tuple), st.tuples(*rows))


def _rows(of: Group, question: Question, moments: Sequence[int], fewest: int) -> st.SearchStrategy[Rows]:
    keys = st.tuples(*(st.sampled_from(question.key_types[each].common) for each in of.keys))
    times = st.none() if of.time is None else st.sampled_from([*map(of.time.start, moments), None])
    as_known = question.expression.as_known
    written = st.sampled_from([*moments, *moments, None]) if as_known else st.none()
    removed = st.one_of(st.none(), st.sampled_from(moments)) if as_known else st.none()
    drawn = st.lists(st.tuples(keys, times, written, removed), min_size=fewest, max_size=30)
    return st.builds(written_rows, drawn, st.integers(0, 2**16))


def written_rows(rows: Sequence[tuple[Any, ...]], seed: int) -> Rows:
    """Of (key, time, written, removed). When each was written says nothing about where it lies."""
    orders = random.Random(seed).sample(range(2**50, 2**50 + 3 * len(rows)), len(rows))
    return tuple(
        Row(key, time, order, written, removed)
        for (key, time, written, removed), order in zip(rows, orders, strict=True)
    )
