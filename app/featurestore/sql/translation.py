"""Hive's and Spark's SQL as DuckDB's, where sqlglot's translation would answer something else than they do. Pure.

Functions of that kind are in the grammars of `reading.py`. What is not translated at all fails in the engine.
"""

from collections.abc import Callable
from typing import Any, Final, cast

from sqlglot import exp, parse_one

from app.featurestore.sql.patterns import replacement_of
from app.featurestore.sql.reading import is_left_semi, too_complex
from infra.errors import QueryRefusedError

_WIDEST: Final = "DECIMAL(38, 10)"
# DuckDB has functions of these names that answer something else.
_OTHERS: Final = frozenset({"hash", "histogram", "skewness", "kurtosis", "dayname", "monthname"})
_MOST_WITHIN: Final = 2
_FROM_SUNDAY: Final = frozenset({"dow", "dayofweek"})
# Whole months between two equal days of the month or two last ones; else thirty-first parts of one, times of day included.
_MONTHS_BETWEEN: Final = parse_one(
    """ROUND(DATE_DIFF('month', :earlier, :later) + CASE
         WHEN DAY(:later) = DAY(:earlier) THEN 0
         WHEN DAY(:later + INTERVAL 1 DAY) = 1 AND DAY(:earlier + INTERVAL 1 DAY) = 1 THEN 0
         ELSE (DAY(:later) - DAY(:earlier) + (EPOCH(:later) % 86400 - EPOCH(:earlier) % 86400) / 86400) / 31 END, 8)""",
    dialect="duckdb",
)


def corrected(tree: exp.Query) -> exp.Query:
    """Changes `tree`, which is the caller's own."""
    # The inner ones first: corrections copy what is in them.
    for node in reversed(list(tree.walk())):
        _require_translatable(node)
        _require_few(node)
        if isinstance(node, exp.Cast) and node.to.this in exp.DataType.INTEGER_TYPES:
            _cut_off(node)
        elif is_left_semi(node):
            node.set("side", None)
        elif type(node) in _CORRECTIONS:
            _CORRECTIONS[type(node)](node)
    return tree


def _require_translatable(node: exp.Expr) -> None:
    keeps_empty = isinstance(node, exp.Lateral) and node.args.get("outer")
    if keeps_empty or isinstance(node, exp.ExplodeOuter | exp.PosexplodeOuter):
        raise QueryRefusedError(
            "LATERAL VIEW OUTER and explode_outer, which keep rows with empty lists, are not translated.",
            hint="In DuckDB's SQL: FROM t LEFT JOIN UNNEST(t.list) AS u(item) ON TRUE.",
        )
    if isinstance(node, exp.Func) and _name(node) in _OTHERS:
        raise QueryRefusedError(
            f"{_name(node)} is another function in DuckDB's SQL, which runs here.",
            hint="Say dialect duckdb if DuckDB's is meant.",
        )


def _require_few(node: exp.Expr) -> None:
    """Of functions whose translation repeats their arguments: within each other the repetitions multiply."""
    within, around = 0, node.parent
    while _repeats(node) and around is not None:
        within += _repeats(around)
        around = around.parent
    if within > _MOST_WITHIN:
        raise too_complex()


def _repeats(node: exp.Expr) -> bool:
    return isinstance(node, exp.MonthsBetween) or (
        isinstance(node, exp.Substring) and _is_computed(node.args.get("start"))
    )


def _is_computed(start: exp.Expr | None) -> bool:
    return start is not None and not isinstance(start, exp.Literal | exp.Neg)


def _name(function: exp.Func) -> str:
    return (function.name if isinstance(function, exp.Anonymous) else function.sql_name()).lower()


def _cut_off(cast: exp.Cast) -> None:
    """Without a fraction, where DuckDB would round. Text may have one too, so there is a number first, whatever it is."""
    if not (isinstance(cast.this, exp.Literal) and cast.this.is_int):
        number = exp.TryCast(this=cast.this.copy(), to=exp.DataType.build(_WIDEST, dialect="duckdb"))
        cast.set("this", exp.Anonymous(this="TRUNC", expressions=[number]))


def _count_from_sunday(day: exp.Expr) -> None:
    """From 1, where DuckDB counts from 0."""
    day.replace(exp.paren(exp.Add(this=day.copy(), expression=exp.Literal.number(1)), copy=False))


def _extract(part: exp.Extract) -> None:
    if part.this.name.lower() in _FROM_SUNDAY:
        _count_from_sunday(part)


def _unknown(function: exp.Anonymous) -> None:
    """What sqlglot leaves as it is."""
    name, arguments = function.name.lower(), function.expressions
    if name in ("date_part", "datepart") and arguments and arguments[0].name.lower() in _FROM_SUNDAY:
        _count_from_sunday(function)
    elif name == "weekday":
        # From Monday as 0, where DuckDB counts from Sunday.
        monday = exp.Anonymous(this="ISODOW", expressions=[argument.copy() for argument in arguments])
        function.replace(exp.paren(exp.Sub(this=monday, expression=exp.Literal.number(1)), copy=False))


def _start_at_one(substring: exp.Substring) -> None:
    """A start of 0 is the first character, where DuckDB takes the one before it."""
    start, one, zero = substring.args.get("start"), exp.Literal.number(1), exp.Literal.number(0)
    if start == zero:
        substring.set("start", one)
    elif start is not None and _is_computed(start):
        substring.set("start", exp.case(start.copy()).when(zero, one).else_(start.copy()))


def _escape(like: exp.Expr) -> None:
    """A backslash takes the meaning from % and _, where DuckDB must be told so."""
    pattern = like.expression
    is_plain = isinstance(pattern, exp.Literal) and "\\" not in pattern.name
    if not is_plain and not isinstance(like.parent, exp.Escape):
        like.replace(exp.Escape(this=like.copy(), expression=exp.Literal.string("\\")))


def _refer(replacing: exp.RegexpReplace) -> None:
    replacement = replacing.args.get("replacement")
    if isinstance(replacement, exp.Literal) and replacement.is_string:
        replacing.set("replacement", exp.Literal.string(replacement_of(replacement.name)))


def _months_between(months: exp.MonthsBetween) -> None:
    moment = exp.DataType.build("TIMESTAMP", dialect="duckdb")
    later = exp.TryCast(this=months.this.copy(), to=moment)
    earlier = exp.TryCast(this=months.expression.copy(), to=moment.copy())
    months.replace(exp.replace_placeholders(_MONTHS_BETWEEN.copy(), later=later, earlier=earlier))


_CORRECTIONS: Final = cast(
    "dict[type[exp.Expr], Callable[[Any], None]]",
    {
        exp.Anonymous: _unknown,
        exp.DayOfWeek: _count_from_sunday,
        exp.Extract: _extract,
        exp.ILike: _escape,
        exp.Like: _escape,
        exp.MonthsBetween: _months_between,
        exp.RegexpReplace: _refer,
        exp.Substring: _start_at_one,
    },
)
