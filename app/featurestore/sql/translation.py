"""Hive's and Spark's SQL as DuckDB's, where sqlglot's translation would answer something else than they do. Pure.

Functions of that kind are in the grammars of `reading.py`. What is not translated at all fails in the engine.
"""

from typing import Final

from sqlglot import exp

from app.featurestore.sql.reading import is_left_semi
from infra.errors import QueryRefusedError

_WIDEST: Final = "DECIMAL(38, 10)"


def corrected(tree: exp.Query) -> exp.Query:
    """Changes `tree`, which is the caller's own."""
    for node in list(tree.walk()):
        _require_translatable(node)
        if isinstance(node, exp.Cast) and node.to.this in exp.DataType.INTEGER_TYPES:
            _cut_off(node)
        elif is_left_semi(node):
            node.set("side", None)
    return tree


def _require_translatable(node: exp.Expr) -> None:
    keeps_empty = isinstance(node, exp.Lateral) and node.args.get("outer")
    if keeps_empty or isinstance(node, exp.ExplodeOuter | exp.PosexplodeOuter):
        raise QueryRefusedError(
            "LATERAL VIEW OUTER and explode_outer, which keep rows with empty lists, are not translated.",
            hint="In DuckDB's SQL: FROM t LEFT JOIN UNNEST(t.list) AS u(item) ON TRUE.",
        )


def _cut_off(cast: exp.Cast) -> None:
    """Without a fraction, where DuckDB would round. Text may have one too, so there is a number first, whatever it is."""
    if not isinstance(cast.this, exp.Literal) or cast.this.is_string:
        number = exp.TryCast(this=cast.this.copy(), to=exp.DataType.build(_WIDEST, dialect="duckdb"))
        cast.set("this", exp.Anonymous(this="TRUNC", expressions=[number]))
