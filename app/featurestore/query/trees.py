"""Pieces of SQL as trees: names never meet text."""

from collections.abc import Iterable, Sequence

from sqlglot import exp

from app.featurestore.query.plans import Source

LABELS_TABLE = "labels"


def table_name(source: Source) -> str:
    """What a source is called in the SQL: unique in the plan, and readable."""
    return f"{source.group.featurestore}__{source.group.name}_{source.group.version}"


def quoted(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)


def column(table: str, name: str) -> exp.Column:
    return exp.column(quoted(name), table=exp.to_identifier(table))


def named(tree: exp.Expr, name: str) -> exp.Expr:
    return exp.alias_(tree, quoted(name))


def table(name: str, alias: str) -> exp.Expr:
    return exp.alias_(exp.table_(quoted(name)), exp.to_identifier(alias), table=True)


def subquery(select: exp.Select, alias: str) -> exp.Subquery:
    return select.subquery(exp.to_identifier(alias), copy=False)


def all_of(conditions: Iterable[exp.Expr]) -> exp.Expr:
    return exp.and_(*conditions, copy=False)


def is_known(tree: exp.Expr) -> exp.Expr:
    return exp.Not(this=exp.Is(this=tree, expression=exp.null()))


def same(left: Sequence[exp.Expr], right: Sequence[exp.Expr]) -> list[exp.Expr]:
    return [exp.EQ(this=mine, expression=theirs) for mine, theirs in zip(left, right, strict=True)]


def call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def whole(number: int) -> exp.Expr:
    return exp.Literal.number(number)
