"""Text to a syntax tree: for finding names and for early messages. What may run is decided by DuckDB's own parser."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final, TypeGuard

from sqlglot import Parser, Token, TokenType, exp
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.parsers.hive import HiveParser
from sqlglot.parsers.spark import SparkParser

from app.featurestore.sql.patterns import strftime_of
from infra.errors import QueryInvalidError, QueryRefusedError
from infra.sql_text import BoundedParser, SqlTooComplexError, tokens_of, trees_of

MAX_BYTES: Final = 100_000
ONE_SELECT: Final = "Write one SELECT; WITH, subqueries and UNION are fine."
_SAY_DIALECT: Final = "Say which SQL it is: dialect duckdb, hive or spark."
_PLAIN_WORD: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_HIVE_ONLY: Final = (exp.Cluster, exp.Distribute, exp.Sort)
# How sqlglot fails where it expects no failure: on functions without their arguments, for example.
STUMBLES: Final = (AttributeError, LookupError, TypeError, ValueError)


class Dialect(StrEnum):
    DUCKDB = "duckdb"
    HIVE = "hive"
    SPARK = "spark"


class _NoCommands(BoundedParser):
    def _warn_unsupported(self) -> None:
        """Where the parser would keep a statement as mere text, and put that text, with all its values, into the log."""
        raise QueryRefusedError("Only SELECT is run here.", hint=ONE_SELECT)


class _DuckDb(_NoCommands, DuckDBParser):
    """DuckDB's grammar."""


class _JoinsWithoutOn(_NoCommands, DuckDBParser):
    """Takes `A JOIN B` without ON for a join, where DuckDB's own parser in sqlglot takes it for `A, B`."""

    ADD_JOIN_ON_TRUE = True


def _with_pattern(build: Callable[..., exp.Expr]) -> Callable[..., exp.Expr]:
    """A function whose second argument is a pattern of dates: sqlglot would keep letters that it does not know as text."""

    def built(args: list[exp.Expr], dialect: object) -> exp.Expr:
        node = build(args, dialect)
        if len(args) > 1 and isinstance(args[1], exp.Literal) and "format" in node.args:
            node.set("format", exp.Literal.string(strftime_of(args[1].name)))
        return node

    return built


def _with_patterns(functions: Mapping[str, Any]) -> dict[str, Any]:
    of_dates = ("DATE_FORMAT", "FROM_UNIXTIME", "UNIX_TIMESTAMP", "TO_DATE", "TO_TIMESTAMP")
    patterned = {name: _with_pattern(functions[name]) for name in of_dates}
    return {**patterned, "TO_UNIX_TIMESTAMP": patterned["UNIX_TIMESTAMP"]}


# Interpolates, unlike the quantile that sqlglot makes of it.
_PERCENTILE: Final = {"PERCENTILE": exp.PercentileCont.from_arg_list}


def _without_percentile(parser: type[Parser]) -> dict[str, Any]:
    return {name: parse for name, parse in parser.FUNCTION_PARSERS.items() if name != "PERCENTILE"}


class _Hive(_NoCommands, HiveParser):
    """Hive's grammar, with what its functions mean where sqlglot takes them for others of the name."""

    FUNCTION_PARSERS: ClassVar[dict[str, Any]] = _without_percentile(HiveParser)
    FUNCTIONS: ClassVar[dict[str, Any]] = {
        **HiveParser.FUNCTIONS,
        **_with_patterns(SparkParser.FUNCTIONS),
        **_PERCENTILE,
        **dict.fromkeys(("STD", "STDDEV"), exp.StddevPop.from_arg_list),
        # Of nothing it is -1.
        "SIZE": lambda args: exp.Coalesce(this=exp.ArraySize(this=args[0]), expressions=[exp.Literal.number(-1)]),
        "VARIANCE": exp.VariancePop.from_arg_list,
        # Null as soon as one of them is.
        "GREATEST": lambda args: exp.Greatest(this=args[0], expressions=args[1:], ignore_nulls=False),
        "LEAST": lambda args: exp.Least(this=args[0], expressions=args[1:], ignore_nulls=False),
    }


class _Spark(_NoCommands, SparkParser):
    """Spark's grammar, likewise."""

    FUNCTION_PARSERS: ClassVar[dict[str, Any]] = _without_percentile(SparkParser)
    FUNCTIONS: ClassVar[dict[str, Any]] = {
        **SparkParser.FUNCTIONS,
        **_with_patterns(SparkParser.FUNCTIONS),
        **_PERCENTILE,
        "STD": exp.Stddev.from_arg_list,
    }


_PARSERS: Final[dict[Dialect, type[BoundedParser]]] = {
    Dialect.DUCKDB: _DuckDb,
    Dialect.HIVE: _Hive,
    Dialect.SPARK: _Spark,
}


@dataclass(frozen=True, eq=False)
class Reading:
    """One query. `text` is without what follows its end; positions in `tree` and `tokens` are positions in `text`."""

    text: str
    dialect: Dialect
    tree: exp.Query
    tokens: Sequence[Token]


def read(text: str, dialect: Dialect | None = None) -> Reading:
    """Read `text` as `dialect`, or as the one it looks like. Raises QueryInvalidError or QueryRefusedError."""
    size = len(text.encode(errors="surrogatepass"))
    if size > MAX_BYTES:
        raise QueryRefusedError(
            f"The statement is {size:,} bytes long; {MAX_BYTES:,} is the most.",
            hint="Put long lists of values into a feature group and join with it.",
        )
    try:
        return _read(text, dialect)
    except RecursionError as error:
        raise QueryInvalidError(
            "The statement is nested too deeply.", hint="Name the inner parts with WITH, or use fewer parentheses."
        ) from error


def _read(text: str, dialect: Dialect | None) -> Reading:
    if dialect is not None:
        return _parsed(text, dialect)
    if any(token.text == "`" and token.token_type is TokenType.UNKNOWN for token in _tokens_or_none(text)):
        return _parsed(text, Dialect.HIVE)
    try:
        reading = _parsed(text, Dialect.DUCKDB)
    except QueryInvalidError as error:
        return _as_hive(text, error)
    if _is_hive(reading.tree):
        return _parsed(text, Dialect.HIVE)
    if _lacks_on(reading):
        return _as_hive(text, QueryInvalidError("A JOIN has no ON.", hint=f"Add it, or USING. {_SAY_DIALECT}"))
    _require_certain(reading)
    return reading


def _as_hive(text: str, error: QueryInvalidError) -> Reading:
    """What is no DuckDB may be Hive; with double quotes only what is Hive for sure, as they are text there and names here."""
    try:
        reading = _parsed(text, Dialect.HIVE)
    except QueryInvalidError:
        raise error from None
    if '"' in text and not _is_hive(reading.tree):
        raise error
    return reading


def _require_certain(reading: Reading) -> None:
    """In `city = "name"` DuckDB would compare two columns and Hive one with a text: nobody's guess either.

    What is no plain word is no feature's name, so that DuckDB finds no such column. Who quotes both sides, or compares
    with a value, means names.
    """
    for comparison in reading.tree.find_all(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.In):
        sides = [comparison.this, comparison.args.get("expression"), *comparison.expressions]
        quoted = [side for side in sides if _is_quoted(side)]
        if quoted and not (_is_quoted(comparison.this) or isinstance(comparison.this, exp.Literal)):
            raise QueryInvalidError(
                f"\"{quoted[0].name[:40]}\" is a name in DuckDB's SQL and a text in Hive's.",
                hint=f"Texts have single quotes in both. {_SAY_DIALECT}",
            )


def _is_quoted(side: object) -> TypeGuard[exp.Column]:
    """Whether it is a single name in quotes that it does not need."""
    return (
        isinstance(side, exp.Column)
        and len(side.parts) == 1
        and bool(side.this.args.get("quoted"))
        and _PLAIN_WORD.fullmatch(side.name) is not None
    )


def _is_hive(tree: exp.Query) -> bool:
    """Whether it has what the parser takes in any grammar and DuckDB does not."""
    return any(isinstance(node, _HIVE_ONLY) or node.args.get("view") or is_left_semi(node) for node in tree.walk())


def is_left_semi(node: exp.Expr) -> bool:
    """`LEFT SEMI JOIN`, which is plain `SEMI JOIN` in DuckDB."""
    return isinstance(node, exp.Join) and node.kind in ("SEMI", "ANTI") and node.side == "LEFT"


def _lacks_on(reading: Reading) -> bool:
    """Whether some `JOIN` has no condition; the tree itself does not tell it from a comma."""
    if all(join.args.get("on") or join.args.get("using") for join in reading.tree.find_all(exp.Join)):
        return False
    return _trees(reading.text, list(reading.tokens), _JoinsWithoutOn, Dialect.DUCKDB) != [reading.tree]


def _parsed(text: str, dialect: Dialect) -> Reading:
    tokens = _without_end(_tokens(text, dialect))
    text = text[tokens[0].start : tokens[-1].end + 1] if tokens else ""
    tokens = _tokens(text, dialect)
    trees = _trees(text, tokens, _PARSERS[dialect], dialect)
    if not trees:
        raise QueryInvalidError("There is no statement.", hint=ONE_SELECT)
    if len(trees) > 1:
        raise QueryRefusedError(f"These are {len(trees)} statements.", hint=ONE_SELECT)
    if not isinstance(trees[0], exp.Query):
        raise QueryRefusedError(f"Only SELECT is run here, not {tokens[0].text[:40].upper()}.", hint=ONE_SELECT)
    return Reading(text, dialect, trees[0], tokens)


def _without_end(tokens: list[Token]) -> list[Token]:
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens = tokens[:-1]
    return tokens


def _tokens(text: str, dialect: Dialect) -> list[Token]:
    try:
        return tokens_of(text, dialect.value)
    except TokenError as error:
        raise QueryInvalidError(
            "A text, a quoted name or a comment has no end.", hint="Look for a quotation mark that stands alone."
        ) from error


def _tokens_or_none(text: str) -> list[Token]:
    try:
        return _tokens(text, Dialect.DUCKDB)
    except QueryInvalidError:
        return []


def _trees(text: str, tokens: list[Token], parser: type[BoundedParser], dialect: Dialect) -> list[exp.Expr]:
    try:
        return trees_of(text, tokens, dialect.value, parser)
    except SqlTooComplexError as error:
        raise too_complex() from error
    except ParseError as error:
        raise _invalid(error, dialect) from error
    except (SqlglotError, *STUMBLES) as error:
        raise QueryInvalidError("The statement cannot be read.", hint=_SAY_DIALECT) from error


def too_complex() -> QueryRefusedError:
    return QueryRefusedError(
        "The statement is nested too deeply to be read.",
        hint="Name the inner parts with WITH; of functions such as date(…) and cast(…) put fewer into each other.",
    )


def _invalid(error: ParseError, dialect: Dialect) -> QueryInvalidError:
    found = error.errors[0]
    word, description = str(found["highlight"]), str(found["description"])
    column = max(1, int(found["col"]) - len(word) + 1)
    # The parser's other words are about its classes.
    what = description.lower() if description.startswith("Expect") else "this, or what comes before it, is not expected"
    return QueryInvalidError(
        f"Line {found['line']}, column {column}, at {word[:40]!r}: {what} (read as {dialect.value}).",
        hint=f"{ONE_SELECT} {_SAY_DIALECT}",
    )
