"""What a statement would read, for people and for programs. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ExplainedTable:
    """`table` is how the statement names it. `table_version` and `files` are None for rows that are not ours."""

    table: str
    project: str
    featurestore: str
    name: str
    version: int
    table_version: int | None
    files: int | None
    grant: str


@dataclass(frozen=True)
class SqlExplanation:
    """`sql` is what the engine would run."""

    sql: str
    dialect: str
    tables: list[ExplainedTable]
    text: str


def explain(sql: str, dialect: str, tables: Sequence[ExplainedTable]) -> SqlExplanation:
    return SqlExplanation(sql, dialect, list(tables), "\n".join([*_lines(dialect, tables), "", sql]))


def _lines(dialect: str, tables: Sequence[ExplainedTable]) -> Iterator[str]:
    yield f"{_counted(len(tables), 'table')}, read as {dialect}"
    for index, table in enumerate(tables):
        is_last = index == len(tables) - 1
        yield f"{'└─' if is_last else '├─'} {table.table} is {_group(table)}"
        yield f"{'  ' if is_last else '│ '}   allowed  {table.grant}"


def _group(table: ExplainedTable) -> str:
    group = f"{table.featurestore}.{table.name}_{table.version}"
    if table.table_version is None:
        return f"{group}, read at its source"
    return f"{group} (table version {table.table_version}, {_counted(table.files or 0, 'file')})"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
