"""A statement as the engine gets it: the user's SQL with the engine's names for tables. Pure."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sqlglot import TokenType, exp
from sqlglot.errors import SqlglotError

from app.featurestore.sql.reading import STUMBLES, Dialect, too_complex
from app.featurestore.sql.statement import Mention, Statement, mentions_of
from app.featurestore.sql.translation import corrected
from infra.errors import QueryInvalidError
from infra.sql_text import SqlTooComplexError, duckdb_sql


@dataclass(frozen=True)
class _Edit:
    """`text` in place of the characters from `start` to before `end`."""

    start: int
    end: int
    text: str


def render(statement: Statement, own_store: str) -> str:
    """In DuckDB's SQL; its tables are called as `TableRef.key` says. `own_store` is that of tables without one.

    A statement in DuckDB's SQL stays what the user wrote, letter by letter, but for tables with a store. Writing it anew
    from the tree would change what it means: of `name ~ 'x'`, which must match the whole text, it makes a search in it.
    """
    _require_apart(statement.mentions, own_store)
    try:
        if statement.dialect is Dialect.DUCKDB:
            return _edited(statement, own_store)
        return _translated(statement, own_store)
    except RecursionError as error:
        raise QueryInvalidError(
            "The statement is nested too deeply.", hint="Name the inner parts with WITH."
        ) from error


def _require_apart(mentions: Sequence[Mention], own_store: str) -> None:
    """Tables of one name out of several stores, of which DuckDB would silently take the nearest, need aliases."""
    nameless = [mention for mention in mentions if not mention.node.alias]
    stores: dict[tuple[int, str], set[str]] = {}
    for mention in nameless:
        place = (id(mention.node.parent_select), mention.ref.name)
        stores.setdefault(place, set()).add(mention.ref.store or own_store)
    for mention in nameless:
        select = mention.node.parent_select
        while select is not None:
            others = stores.get((id(select), mention.ref.name), set()) - {mention.ref.store or own_store}
            if others:
                name = mention.ref.name[:80]
                raise QueryInvalidError(
                    f"Two tables are called {name!r} here.",
                    hint=f"Give each an alias: {name} AS a, {min(others)}.{name} AS b.",
                )
            select = select.parent_select


def _edited(statement: Statement, own_store: str) -> str:
    reading, text = statement.reading, statement.reading.text
    without_alias = {after.start for before, after in pairwise(reading.tokens) if before.token_type is TokenType.TABLE}
    edits = {_table_edit(mention, text, without_alias) for mention in statement.mentions if mention.ref.store}
    for column in _columns_with_store(reading.tree, statement.mentions, own_store):
        store, table = column.parts[:2]
        edits.add(_Edit(_start(store), _start(table), ""))
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _table_edit(mention: Mention, text: str, without_alias: Collection[int]) -> _Edit:
    node = mention.node
    start, end = _start(node.args["db"]), int(node.this.meta["end"]) + 1
    name = _quoted(mention.ref.key)
    # Without an alias its columns would go by the engine's name, not by the one the user knows. `TABLE t` takes none.
    has_name = node.alias or start in without_alias
    return _Edit(start, end, name if has_name else f"{name} AS {text[_start(node.this) : end]}")


def _translated(statement: Statement, own_store: str) -> str:
    tree = corrected(statement.reading.tree.copy())
    mentions = list(mentions_of(tree))
    for column in list(_columns_with_store(tree, mentions, own_store)):
        column.set("catalog" if column.args.get("catalog") else "db", None)
    for mention in mentions:
        if mention.ref.store:
            _rename(mention)
    try:
        return duckdb_sql(tree)
    except SqlTooComplexError as error:
        raise too_complex() from error
    except (SqlglotError, *STUMBLES) as error:
        raise QueryInvalidError(
            f"This has no counterpart in DuckDB's SQL, which runs here: {error}"[:300],
            hint="Write that part in DuckDB's SQL.",
        ) from error


def _rename(mention: Mention) -> None:
    node = mention.node
    if not node.alias:
        node.set("alias", exp.TableAlias(this=node.this.copy()))
    node.set("this", exp.to_identifier(mention.ref.key, quoted=True))
    node.set("db", None)


def _columns_with_store(tree: exp.Expr, mentions: Sequence[Mention], own_store: str) -> Iterator[exp.Column]:
    """Columns that begin with the store and the name of a table, unless something else is called as the store is."""
    named = {(mention.ref.store or own_store, mention.ref.name) for mention in mentions}
    aliases = {alias.name.lower() for alias in tree.find_all(exp.TableAlias)}
    for column in tree.find_all(exp.Column):
        parts = [part.name.lower() for part in column.parts]
        if len(parts) > 2 and (parts[0], parts[1]) in named and parts[0] not in aliases:
            yield column


def _start(node: exp.Expr) -> int:
    return int(node.meta["start"])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
