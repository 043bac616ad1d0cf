"""Answers to a case: by the planner, the label preparation and an engine as they are, and by an oracle."""

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa

from app.featurestore.feature_groups.frames import ARROW_STREAM, Frame, Upload
from app.featurestore.query.label_rows import LabelRows, with_columns_of
from app.featurestore.query.lowering import Program, to_program
from app.featurestore.query.planner import plan
from app.featurestore.query.plans import LABELS, LogicalPlan
from app.featurestore.query.trees import LABELS_TABLE, table_name
from infra.ports.engine import WRITE_ORDER
from tests.frames import arrow_bytes
from tests.property.brute_force import Row, matches
from tests.property.cases import Case, arrow_type
from tests.property.times import DAY

Cells: TypeAlias = list[tuple[object, ...]]
"""Rows whose cells are equal where they are to a reader: a NaN to a NaN, and not 0.0 to -0.0."""
Matches: TypeAlias = list[Row | None]


@dataclass(frozen=True)
class Prepared:
    """What an engine gets to answer a case."""

    plan: LogicalPlan
    tables: dict[str, pa.Table]

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([(column.name, arrow_type(column.type)) for column in self.plan.columns])


def prepared(case: Case, folder: Path) -> Prepared:
    frame = sent(case.frame, folder)
    made = plan(with_columns_of(frame, case.expression), case.catalog)
    assert made.labels is not None
    labels = LabelRows(frame, made.labels).rows.batches().read_all()
    assert labels.column(WRITE_ORDER).to_pylist() == list(range(case.frame.num_rows))
    tables = {table_name(source): case.table(position) for position, source in enumerate(made.sources)}
    # Where a label lies says nothing: its write order counts.
    places = random.Random(labels.num_rows).sample(range(labels.num_rows), labels.num_rows)
    return Prepared(made, {**tables, LABELS_TABLE: labels.take(pa.array(places, pa.int64()))})


def sent(table: pa.Table, folder: Path, rows: int | None = None) -> Frame:
    """As uploaded; `rows` is what the sender counted, where that is not the truth."""
    path = folder / "labels.arrow"
    path.write_bytes(arrow_bytes(table))
    return Frame(Upload(path, ARROW_STREAM, table.num_rows if rows is None else rows, 2**30))


@contextmanager
def duckdb_session() -> Iterator[duckdb.DuckDBPyConnection]:
    """With the settings of the engine that matter to answers."""
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def answer_of_duckdb(connection: duckdb.DuckDBPyConnection, asked: Prepared, program: Program | None = None) -> Cells:
    """By the program that the gateway runs, if none is given."""
    program = program or to_program(asked.plan)
    for name, table in asked.tables.items():
        connection.register(name, table)
    try:
        for step in program.steps:
            connection.execute(f'CREATE OR REPLACE TEMP TABLE "{step.name}" AS {step.sql}')
        answer = connection.execute(program.sql).to_arrow_table()
    finally:
        for name in asked.tables:
            connection.unregister(name)
    return cells(answer.cast(asked.schema))


def brute_force(case: Case) -> list[list[Matches]]:
    """For each world and group the row that each label gets."""
    pairs = [zip(case.question.groups, world.rows, strict=True) for world in case.worlds]
    return [
        [matches(world.labels_of(case.question, group), rows, **case.question.rules(group)) for group, rows in groups]
        for world, groups in zip(case.worlds, pairs, strict=True)
    ]


def expected(case: Case, made: LogicalPlan, matched: Sequence[Sequence[Matches]]) -> Cells:
    """The answer, given what `brute_force` or another oracle says."""
    frame = case.frame
    columns: list[list[Any]] = []
    for column in made.columns:
        if column.source == LABELS:
            columns.append(_given_back(case, frame, column.feature))
        else:
            group = case.question.groups[column.source]
            rows = [row for world in matched for row in world[column.source]]
            columns.append([None if row is None else group.cells(row)[column.feature] for row in rows])
    return [tuple(map(_cell, row)) for row in zip(*columns, strict=True)]


def _given_back(case: Case, frame: pa.Table, name: str) -> list[Any]:
    if name != "t":
        return frame.column(name).to_pylist()
    time, labels = case.question.time, [label for world in case.worlds for label in world.labels]
    if case.expression.labels is not None and case.expression.labels.event_time is None:
        # A column like any other: finer times are cut as those of features are, towards 1970.
        moments = [None if label[-1] is None else int(label[-1] * time.unit) for label in labels]
    else:
        moments = [time.moment(label[-1]) for label in labels]
    is_date = pa.types.is_date(time.arrow)
    return [moment // DAY if is_date and moment is not None else moment for moment in moments]


def cells(answer: pa.Table) -> Cells:
    columns = [_numbers(column).to_pylist() for column in answer.columns]
    return [tuple(map(_cell, row)) for row in zip(*columns, strict=True)]


def _numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times as the whole numbers that they are."""
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.int64())
    return column.cast(pa.int32()) if pa.types.is_date32(column.type) else column


def _cell(value: object) -> object:
    if isinstance(value, dt.date):
        return (value - dt.date(1970, 1, 1)).days
    return repr(value) if isinstance(value, float) else value
