"""From two states of a table to the SQL that tells them apart, built as a tree. Pure.

The states share most of their files, and only what differs is given to the SQL: a row that was rewritten unchanged is on
both sides, and as often as it is on both it is left out (EXCEPT ALL, both ways, in one pass over the rows).
"""

from collections.abc import Sequence
from typing import Final

from sqlglot import exp

from app.featurestore.query.trees import call, is_known, named, quoted, whole

OLD: Final = "old"
NEW: Final = "new"
# Spaces keep them clear of feature names.
_SIDE: Final = "row of side"
_SURPLUS: Final = "more in new"
_GONE: Final = "rows of key gone"
_COME: Final = "rows of key come"
_COPY: Final = "copy of row"
_ORDER: Final = "order of change"
_DELETE, _BEFORE, _AFTER, _INSERT = range(4)
_WORDS: Final = {_DELETE: "delete", _BEFORE: "update_before", _AFTER: "update_after", _INSERT: "insert"}


def change_column(features: Sequence[str]) -> str:
    """`change`, unless a feature is called so; no feature begins with an underscore."""
    return "_change" if "change" in features else "change"


def to_sql(features: Sequence[str], row_key: Sequence[str]) -> str:
    """Rows of `OLD` and `NEW` that the other has not, ordered by key, before each the word for what happened to it."""
    columns = [_column(name) for name in features]
    every = exp.union(_side(OLD, -1, columns), _side(NEW, 1, columns), distinct=False)
    total = exp.cast(call("SUM", _column(_SIDE)), "BIGINT")
    surplus = (
        exp.select(*columns, named(total, _SURPLUS))
        .from_(every.subquery(_alias("every")))
        .group_by(*columns)
        .having(exp.NEQ(this=call("SUM", _column(_SIDE)), expression=whole(0)))
    )
    counted = exp.select(
        exp.Star(),
        named(_of_key(exp.Neg(this=_column(_SURPLUS)), row_key), _GONE),
        named(_of_key(_column(_SURPLUS), row_key), _COME),
    ).from_(surplus.subquery(_alias("surplus")))
    copies = named(call("UNNEST", call("RANGE", call("ABS", _column(_SURPLUS)))), _COPY)
    ordered = exp.select(named(_order(row_key), _ORDER), *columns, copies).from_(counted.subquery(_alias("counted")))
    return (
        exp.select(named(_word(), change_column(features)), *columns)
        .from_(ordered.subquery(_alias("ordered")))
        .order_by(*(_column(name) for name in row_key), _column(_ORDER))
        .sql(dialect="duckdb")
    )


def _side(table: str, sign: int, columns: Sequence[exp.Expr]) -> exp.Select:
    number = whole(abs(sign)) if sign > 0 else exp.Neg(this=whole(abs(sign)))
    return exp.select(named(number, _SIDE), *columns).from_(exp.table_(quoted(table)))


def _of_key(surplus: exp.Expr, row_key: Sequence[str]) -> exp.Expr:
    """How many changed rows one side has with the row's key."""
    rows = call("SUM", call("GREATEST", surplus, whole(0)))
    return exp.Window(this=rows, partition_by=[_column(name) for name in row_key])


def _order(row_key: Sequence[str]) -> exp.Expr:
    """A row that replaced another is known by its key, if that is complete and no other changed row of a side has it."""
    is_update = exp.and_(
        *(exp.EQ(this=_column(name), expression=whole(1)) for name in (_GONE, _COME)),
        *(is_known(_column(name)) for name in row_key),
    )
    return exp.Case().when(is_update, _by_side(_BEFORE, _AFTER)).else_(_by_side(_DELETE, _INSERT))


def _by_side(old: int, new: int) -> exp.Expr:
    return exp.Case().when(exp.LT(this=_column(_SURPLUS), expression=whole(0)), whole(old)).else_(whole(new))


def _word() -> exp.Expr:
    case = exp.Case(this=_column(_ORDER))
    for order, word in _WORDS.items():
        case = case.when(whole(order), exp.Literal.string(word))
    return case


def _column(name: str) -> exp.Column:
    return exp.column(quoted(name))


def _alias(name: str) -> exp.Identifier:
    return exp.to_identifier(name)
