"""User SQL as the gateway sees it: which tables it names, and what is refused before anything runs. Pure.

This is for names and for early messages. It is no gate: what it overlooks finds no table in the engine's process, where
DuckDB's own parser has the last word.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sqlglot import TokenType, exp

from app.featurestore.sql.reading import ONE_SELECT, Dialect, Reading, read
from infra.errors import QueryInvalidError, QueryRefusedError

_LITERALS: Final = frozenset(kind for kind in TokenType if kind.name.endswith("STRING") or kind is TokenType.NUMBER)
MAX_TABLES: Final = 100
# What may stand beside a table's name. Anything else (AT, FOR VERSION, …) would be another question than the one answered.
_BESIDE_A_TABLE: Final = frozenset({"this", "db", "alias", "joins", "laterals", "sample", "pivots"})
_TABLE_FUNCTIONS: Final = ("range", "generate_series", "unnest", "json_each", "json_tree")
_ROWS: Final = (exp.Query, exp.Explode, exp.Inline, exp.Unnest, exp.GenerateSeries)
_REFUSED: Final[dict[type[exp.Expr], str]] = {
    exp.DDL: "changes something",
    exp.DML: "changes something",
    exp.Into: "makes a table",
    exp.Lock: "locks rows",
    exp.Describe: "is no SELECT",
    exp.Summarize: "is no SELECT",
    exp.Show: "is no SELECT",
    exp.Pragma: "is no SELECT",
    exp.Command: "is no SELECT",
    exp.QueryTransform: "runs a program",
    exp.DynamicIdentifier: "is SQL in a text; write the name itself",
    exp.Placeholder: "stands for a value that is not there; write the value itself",
    exp.Parameter: "stands for a value that is not there; write the value itself",
    exp.Pivot: "is not taken; use sum(…) FILTER (WHERE …) for every column, or UNION ALL for UNPIVOT",
}


@dataclass(frozen=True, order=True)
class TableRef:
    """A table as named, in lower case, because neither Hive nor DuckDB tells names apart by case."""

    store: str | None
    name: str

    @property
    def key(self) -> str:
        """What the table is called in the engine: as written, so that SQL without stores is left as it is."""
        return self.name if self.store is None else f"{self.store}.{self.name}"


@dataclass(frozen=True, eq=False)
class Mention:
    """One place where a table is named."""

    ref: TableRef
    node: exp.Table


@dataclass(frozen=True, eq=False)
class Statement:
    """One query that names `tables` and does nothing but read them."""

    reading: Reading
    mentions: tuple[Mention, ...]

    @property
    def dialect(self) -> Dialect:
        return self.reading.dialect

    @cached_property
    def tables(self) -> tuple[TableRef, ...]:
        """Each once, in the order of their first mention."""
        return tuple(dict.fromkeys(mention.ref for mention in self.mentions))

    @cached_property
    def shape(self) -> str:
        """The statement without its values: what may be logged."""
        text = self.reading.text
        words = (
            "?" if token.token_type in _LITERALS else text[token.start : token.end + 1] for token in self.reading.tokens
        )
        return " ".join(words)


def parse_statement(text: str, dialect: Dialect | None = None) -> Statement:
    """Raises QueryInvalidError with line and column, and QueryRefusedError for anything but one SELECT."""
    reading = read(text, dialect)
    for node in reading.tree.walk():
        _require_harmless(node)
    statement = Statement(reading, tuple(mentions_of(reading.tree)))
    if len(statement.tables) > MAX_TABLES:
        raise QueryRefusedError(f"The statement names {len(statement.tables)} tables; {MAX_TABLES} are the most.")
    _require_own_names(statement)
    return statement


def _require_own_names(statement: Statement) -> None:
    """What WITH names must not be taken for a table of the engine."""
    hidden = {cte.alias.lower() for cte in statement.reading.tree.find_all(exp.CTE)}
    for ref in statement.tables:
        if ref.store is not None and ref.key in hidden:
            raise QueryInvalidError(f"WITH gives the name {ref.key[:160]!r} of a table to something else.")


def mentions_of(tree: exp.Expr) -> Iterator[Mention]:
    """Every table that is not the name of a WITH at that place, in the order of the text."""
    found = [Mention(_ref(table), table) for table in _tables(tree) if isinstance(table.this, exp.Identifier)]
    yield from sorted(found, key=lambda mention: int(mention.node.this.meta.get("start", 0)))


def _tables(tree: exp.Expr) -> Iterator[exp.Table]:
    # Nothing but WITH hides a table, so this needs no more of scopes than that. Every table of the tree is met.
    pending: list[tuple[exp.Expr, frozenset[str]]] = [(tree, frozenset())]
    while pending:
        node, hidden = pending.pop()
        if isinstance(node, exp.Table) and (node.args.get("db") or node.name.lower() not in hidden):
            yield node
        with_ = node.args.get("with_")
        if isinstance(with_, exp.With):
            for cte in with_.expressions:
                named = hidden | {cte.alias.lower()}
                # Only a recursive one sees itself; none sees those after it.
                pending.append((cte.this, named if with_.recursive else hidden))
                hidden = named
        pending.extend((child, hidden) for child in node.iter_expressions() if child is not with_)


def _ref(table: exp.Table) -> TableRef:
    return TableRef(_folded(table.db) or None, _folded(table.name))


def _folded(name: str) -> str:
    # Other letters than ASCII's stay: some of them become ASCII letters in lower case.
    return name.lower() if name.isascii() else name


def _require_harmless(node: exp.Expr) -> None:
    for kind, why in _REFUSED.items():
        if isinstance(node, kind):
            raise QueryRefusedError(f"{type(node).__name__.upper()} {why}.", hint=ONE_SELECT)
    if isinstance(node, exp.Table):
        _require_plain(node)
    if isinstance(node, exp.Lateral):
        _require_allowed(node.this)


def _require_plain(table: exp.Table) -> None:
    if not isinstance(table.this, exp.Identifier):
        _require_allowed(table.this)
        return
    if table.args.get("catalog"):
        raise QueryInvalidError(
            f"{'.'.join(part.name for part in table.parts)[:160]!r} has too many parts for a table.",
            hint="A table is called group_version or featurestore.group_version.",
        )
    if any(value for name, value in table.args.items() if name not in _BESIDE_A_TABLE):
        raise QueryRefusedError(
            f"After the table {table.name[:80]!r} only an alias and TABLESAMPLE are understood.",
            hint="Earlier states of a table are read by the as_of of a query for features.",
        )


def _require_allowed(source: object) -> None:
    """Subqueries and the few functions that make rows of nothing but their arguments."""
    if isinstance(source, exp.Func) and not isinstance(source, exp.Anonymous):
        name = source.sql_name().lower()
    else:
        name = str(getattr(source, "name", "?"))
    if not isinstance(source, _ROWS) and name.lower() not in _TABLE_FUNCTIONS:
        raise QueryRefusedError(
            f"The table function {name[:80]!r} is not taken.",
            candidates=_TABLE_FUNCTIONS,
            hint="FROM takes feature groups by name; files and other sources are out of reach.",
        )
