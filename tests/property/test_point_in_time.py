"""The promise of point-in-time joins, compared cell by cell with three oracles. An example is a world: labels, and the rows
of one to three groups. One query answers one of them, or a dozen."""

import random
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pytest
from hypothesis import assume, given

from app.featurestore.query.expression import FeatureExpression, JoinSpec, LabelsSpec
from app.featurestore.query.lowering import Program, to_sql
from tests.property.brute_force import Label, Row, matches
from tests.property.cases import Case, Question, Rows, World, group
from tests.property.drawing import cases, compared, written_rows
from tests.property.oracles import answers_of, by_pandas, by_polars, is_within_64_bits
from tests.property.running import Matches, answer_of_duckdb, brute_force, expected, prepared
from tests.property.times import LABEL_MOMENTS, NUMBER_KEY, TEXT_KEY

QUERIES: Final = 190
"""In each of the nine comparisons below that generate their cases; on average there are six examples in one."""
each_algorithm = pytest.mark.parametrize("duck", [64, 0], ids=["few", "many"], indirect=True)


@each_algorithm
@compared(QUERIES)
@given(case=cases(("timestamp", "date", None)))
def test_moments(duck: duckdb.DuckDBPyConnection, folder: Path, case: Case) -> None:
    asked = prepared(case, folder)
    assert answer_of_duckdb(duck, asked) == expected(case, asked.plan, brute_force(case))


@each_algorithm
@compared(QUERIES)
@given(case=cases(("bigint", None)))
def test_numbers(duck: duckdb.DuckDBPyConnection, folder: Path, case: Case) -> None:
    asked = prepared(case, folder)
    assert answer_of_duckdb(duck, asked) == expected(case, asked.plan, brute_force(case))


@compared(QUERIES)
@given(case=cases(("timestamp", "date", None), as_known=True))
def test_moments_as_known(duck: duckdb.DuckDBPyConnection, folder: Path, case: Case) -> None:
    asked = prepared(case, folder)
    assert answer_of_duckdb(duck, asked) == expected(case, asked.plan, brute_force(case))


@each_algorithm
@compared(QUERIES)
@given(case=cases(("timestamp", "date")))
def test_moments_as_libraries_see_them(duck: duckdb.DuckDBPyConnection, folder: Path, case: Case) -> None:
    asked = prepared(case, folder)
    answer = answer_of_duckdb(duck, asked)
    assert answer == expected(case, asked.plan, answers_of(by_pandas, case))
    assert answer == expected(case, asked.plan, answers_of(by_polars, case))


@each_algorithm
@compared(QUERIES)
@given(case=cases(("bigint",)))
def test_numbers_as_libraries_see_them(duck: duckdb.DuckDBPyConnection, folder: Path, case: Case) -> None:
    assume(is_within_64_bits(case))
    asked = prepared(case, folder)
    answer = answer_of_duckdb(duck, asked)
    assert answer == expected(case, asked.plan, answers_of(by_pandas, case))
    assert answer == expected(case, asked.plan, answers_of(by_polars, case))


@compared(40)
@given(case=cases(("timestamp", "date", None)))
def test_one_statement_says_the_same(duck: duckdb.DuckDBPyConnection, folder: Path, case: Case) -> None:
    """What `explain` shows may be run."""
    asked = prepared(case, folder)
    shown = answer_of_duckdb(duck, asked, Program(to_sql(asked.plan, pretty=True)))
    assert shown == expected(case, asked.plan, brute_force(case))


@pytest.mark.parametrize("as_known", [False, True], ids=["as of", "as known"])
@pytest.mark.parametrize("seed", range(3))
def test_many_rows(duck: duckdb.DuckDBPyConnection, folder: Path, seed: int, as_known: bool) -> None:
    """Enough for several vectors in several threads."""
    case = large_case(random.Random(seed), as_known=as_known)
    asked = prepared(case, folder)
    (world,) = case.worlds
    found = [
        by_key(world.labels_of(case.question, each), rows, **case.question.rules(each))
        for each, rows in zip(case.question.groups, world.rows, strict=True)
    ]
    assert sum(row is not None for row in found[0]) > 1_000
    assert answer_of_duckdb(duck, asked) == expected(case, asked.plan, [found])


def large_case(chance: random.Random, *, as_known: bool) -> Case:
    """5 000 labels and three groups of 20 000 rows, of 450 keys and 1 000 times."""
    keys = [(number, text) for number in [*range(150), None] for text in ("a", "", None)]
    times = [*(chance.randrange(-(10**9), 10**9) for _ in range(1_000)), None]
    lookbacks = {"g": None, "a": 10**8, "b": None}
    labels = LabelsSpec(event_time="t", given_back=("n",))
    expression = FeatureExpression(
        features=tuple(f"{name}.{feature}" for name in lookbacks for feature in ("m", "x", "s")),
        joins={name: JoinSpec(prefix=f"{name}_", lookback=lookback) for name, lookback in lookbacks.items()},
        as_known=as_known,
        labels=labels,
    )
    kinds = ("timestamp", "timestamp", None)
    groups = tuple(
        group(name, kind, (0, 1), {"k0": "int", "k1": "string"}) for name, kind in zip(lookbacks, kinds, strict=True)
    )
    question = Question((NUMBER_KEY, TEXT_KEY), (pa.int64(), pa.string()), LABEL_MOMENTS[2], groups, expression)

    def rows(kind: str | None) -> Rows:
        seen = times if as_known else [None]
        columns = (keys, [None] if kind is None else times, seen, seen)
        return written_rows([tuple(map(chance.choice, columns)) for _ in range(20_000)], chance.randrange(2**16))

    sent = tuple((*chance.choice(keys), chance.choice(times)) for _ in range(5_000))
    return Case(question, (World(sent, tuple(map(rows, kinds))),))


def by_key(labels: list[Label], rows: tuple[Row, ...], **rules: object) -> Matches:
    """Brute force over the rows of a label's key."""
    of_key: dict[object, list[Row]] = {}
    for row in rows:
        of_key.setdefault(row.key, []).append(row)
    return [matches([label], of_key.get(label.key, []), **rules)[0] for label in labels]
