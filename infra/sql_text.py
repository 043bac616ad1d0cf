"""SQL of others as syntax trees and back, within bounds.

sqlglot reads by trial: of some texts of 200 bytes, such as `DATE(DATE(…))`, it tries 2^30 readings, and what it writes of
some trees doubles with every level. It works inside the gateway's process, where meanwhile nobody else gets a turn.
"""

import copy
from collections.abc import Collection
from functools import cache
from types import new_class
from typing import Any, Final, cast

from sqlglot import ErrorLevel, Parser, Token, TokenType, exp
from sqlglot.dialects.dialect import Dialect as Grammar
from sqlglot.errors import SqlglotError
from sqlglot.generators.duckdb import DuckDBGenerator

# Long statements take up to five steps for a token and nine for a node; short ones that are nested may take more.
_STEPS_AT_LEAST: Final = 30_000
_STEPS_FOR_A_TOKEN: Final = 6
_STEPS_FOR_A_NODE: Final = 12


class SqlTooComplexError(SqlglotError):
    """More steps than any SQL takes that somebody means."""


class _Budget:
    """The steps that one text or tree may take, `more` than the least."""

    def __init__(self, more: int) -> None:
        self._left = _STEPS_AT_LEAST + more

    def spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise SqlTooComplexError


class BoundedParser(Parser):
    """Ends: by its budget, and as it reads no JOIN twice."""

    _budget: _Budget | None = None

    def _advance(self, times: int = 1) -> None:
        if self._budget is not None:
            self._budget.spend()
        super()._advance(times)

    def _parse_join(
        self,
        skip_join_token: bool = False,  # noqa: FBT001, FBT002 the signature is sqlglot's
        parse_bracket: bool = False,  # noqa: FBT001, FBT002
        alias_tokens: Collection[TokenType] | None = None,
    ) -> exp.Join | None:
        """In search of the one ON behind several JOINs the same JOIN is asked for again and again, 2^n times in all."""
        place = (self._chunk_index, self._index, skip_join_token, parse_bracket, id(alias_tokens))
        known: dict[object, tuple[exp.Join, int]] = self.__dict__.setdefault("_known_joins", {})
        if place in known:
            join, end = known[place]
            self._retreat(end)
            return join
        found = super()._parse_join(skip_join_token, parse_bracket, alias_tokens)
        if found is not None:
            known[place] = found, self._index
        return found


def tokens_of(text: str, grammar: str) -> list[Token]:
    """Raises TokenError for quotes and comments without end."""
    return Grammar.get_or_raise(grammar).tokenize(text)


def trees_of(text: str, tokens: list[Token], grammar: str, parser: type[BoundedParser] | None = None) -> list[exp.Expr]:
    """One for each statement. Raises SqlTooComplexError and sqlglot's own errors."""
    made = _parser(grammar, parser or _bounded(grammar), _Budget(_STEPS_FOR_A_TOKEN * len(tokens)))
    return [tree for tree in made.parse(tokens, text) if tree is not None]


def type_of(text: str, grammar: str) -> exp.Expr | None:
    """What `text` begins with as a type: the parser stops wherever it likes. Raises as `trees_of` does."""
    tokens = tokens_of(text, grammar)
    made = _parser(grammar, _bounded(grammar), _Budget(_STEPS_FOR_A_TOKEN * len(tokens)))
    return next(iter(made.parse_into(exp.DataType, tokens, text)), None)


def _parser(grammar: str, parser: type[BoundedParser], budget: _Budget) -> BoundedParser:
    """Hints and quoted types are texts in the text, for which the parser asks its dialect for another parser."""
    dialect = copy.copy(Grammar.get_or_raise(grammar))

    def make(**options: Any) -> BoundedParser:
        made = parser(**{"dialect": dialect, **options})
        made._budget = budget  # noqa: SLF001 no argument, as sqlglot's own code makes parsers too
        return made

    dialect.parser = make  # type: ignore[method-assign]
    return make()


@cache
def _bounded(grammar: str) -> type[BoundedParser]:
    parser = Grammar.get_or_raise(grammar).parser_class
    return cast("type[BoundedParser]", new_class(f"Bounded{parser.__name__}", (BoundedParser, parser)))


class _BoundedGenerator(DuckDBGenerator):
    """Ends by its budget."""

    _budget: _Budget | None = None

    def sql(self, expression: str | exp.Expr | None, key: str | None = None, comment: bool = True) -> str:  # noqa: FBT001, FBT002
        if self._budget is not None:
            self._budget.spend()
        return super().sql(expression, key, comment)


def duckdb_sql(tree: exp.Expr) -> str:
    """`tree` in DuckDB's SQL. Raises SqlTooComplexError, and sqlglot's own errors for what DuckDB does not have."""
    generator = _BoundedGenerator(
        dialect=Grammar.get_or_raise("duckdb"), unsupported_level=ErrorLevel.RAISE, comments=False
    )
    generator._budget = _Budget(_STEPS_FOR_A_NODE * sum(1 for _ in tree.walk()))  # noqa: SLF001
    return generator.generate(tree)
