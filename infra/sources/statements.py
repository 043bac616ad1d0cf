"""The one statement that is ever sent: a SELECT of ours around the user's query."""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, pairwise
from typing import Final

import structlog
from sqlglot import Token, TokenType, exp
from sqlglot.errors import SqlglotError, TokenError

from infra.errors import InvalidInputError
from infra.sql_text import tokens_of, trees_of

_log = structlog.get_logger(__name__)
_ALIAS = "oast_source"
# White space and comments that every engine reads alike. MySQL runs /*!…*/, some nest comments, some end lines at \r.
_BETWEEN: Final = re.compile(r"(\s|(--|\#)[^\r\n]*(\r?\n|\Z)|/\*(?!M?!)((?!/\*|\*/).)*\*/)*", re.DOTALL)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ESCAPED_QUOTE: Final = re.compile(r"""(?<!\\)(\\\\)*\\['"`]""")
_ESCAPING_PAIR: Final = (TokenType.BYTE_STRING, TokenType.STRING)
_AMBIGUOUS: Final = "The source may read the query's {} otherwise than the gateway does."


class Dialect:
    """How an engine quotes, and what sqlglot calls it. `backslashes`: it depends on the server whether they escape."""

    def __init__(self, name: str, quote: str, *, backslashes: bool = False) -> None:
        self._name = name
        self._quote = quote
        self._backslashes = backslashes

    def select(self, sql: str, columns: Sequence[str] = (), first: int | None = None) -> str:
        """`columns` of `sql`, all where none is named. Raises InvalidInputError for what would not stay in its parentheses.

        As a derived table the query can be nothing but a query: no engine takes INSERT, CREATE, COPY, ATTACH or a CTE that
        writes in that place. The line breaks keep a comment at its end from swallowing what follows.
        """
        names = ", ".join(f"{_ALIAS}.{self._quoted(column)}" for column in columns) or "*"
        limit = "" if first is None else f" LIMIT {int(first)}"
        return f"SELECT {names} FROM (\n{self._contained(sql)}\n) AS {_ALIAS}{limit}"  # noqa: S608 the engine is told to read only

    def require_query(self, sql: str) -> None:
        """Say early and in plain words what the source would refuse; what is not understood here is left to the source.

        A parser of another make is no gate: what it lets pass meets a read-only transaction.
        """
        text = self._contained(sql)
        try:
            statements = trees_of(text, tokens_of(text, self._name), self._name)
        except (SqlglotError, RecursionError) as error:
            _log.debug("query not understood", error=type(error).__name__)
            return
        if statements and not isinstance(statements[0], exp.Query | exp.Command):
            raise InvalidInputError(
                f"An on-demand feature group has a query, not {statements[0].key.upper()}.", hint="Write a SELECT."
            )

    def _contained(self, sql: str) -> str:
        """`sql` without its end, if it is one statement and no parenthesis of it closes one of ours."""
        every = self._tokens(sql)
        _require_unambiguous(sql, every)
        tokens = _without_end(every)
        _require_one(tokens)
        if self._backslashes and any(_ESCAPED_QUOTE.search(sql, each.start, each.end + 1) for each in tokens):
            raise InvalidInputError(_AMBIGUOUS.format("backslashes"), hint="Write a quotation mark twice: 'it''s'.")
        _require_balance(tokens)
        return sql[tokens[0].start : tokens[-1].end + 1]

    def _tokens(self, sql: str) -> list[Token]:
        try:
            return tokens_of(sql, self._name)
        except TokenError as error:
            raise InvalidInputError(
                "A text, a quoted name or a comment in the query has no end.",
                hint="Look for a quotation mark that stands alone.",
            ) from error

    def _quoted(self, name: str) -> str:
        return f"{self._quote}{name.replace(self._quote, self._quote * 2)}{self._quote}"


def _without_end(tokens: Sequence[Token]) -> Sequence[Token]:
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens = tokens[:-1]
    return tokens


def _require_one(tokens: Sequence[Token]) -> None:
    if not tokens:
        raise InvalidInputError("An on-demand feature group has one query; there is none.", hint="Write a SELECT.")
    more = sum(token.token_type is TokenType.SEMICOLON for token in tokens)
    if more:
        raise InvalidInputError(f"An on-demand feature group has one query; these are {more + 1} statements.")


def _require_unambiguous(sql: str, tokens: Sequence[Token]) -> None:
    """What the engine takes for a comment or a text is not to be code here, nor the other way round."""
    if _CONTROL.search(sql):
        raise InvalidInputError(_AMBIGUOUS.format("control characters"), hint="Leave them out.")
    if not all(_BETWEEN.fullmatch(gap) for gap in _gaps(sql, tokens)):
        raise InvalidInputError(_AMBIGUOUS.format("comments"), hint="Leave them out.")
    # A text goes on behind a line break, with backslashes as escapes if its beginning, E'…', had them.
    if any((one.token_type, other.token_type) == _ESCAPING_PAIR for one, other in pairwise(tokens)):
        raise InvalidInputError(_AMBIGUOUS.format("texts"), hint="Write E'…' as one text, or join texts with ||.")
    # In a name a dollar sign is a letter; alone it may begin a text.
    if any(re.match(r"\w\$", sql[token.start - 1 : token.start + 1]) for token in tokens if token.start):
        raise InvalidInputError(_AMBIGUOUS.format("dollar signs"), hint="Put the name into quotation marks.")


def _gaps(sql: str, tokens: Sequence[Token]) -> Iterator[str]:
    """Before, between and after the tokens."""
    ends = chain([0], (token.end + 1 for token in tokens))
    starts = chain((token.start for token in tokens), [len(sql)])
    return (sql[end:start] for end, start in zip(ends, starts, strict=True))


def _require_balance(tokens: Sequence[Token]) -> None:
    steps = {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}
    depths = list(accumulate(steps.get(token.token_type, 0) for token in tokens))
    if min(depths) < 0 or depths[-1]:
        raise InvalidInputError(
            "The query's parentheses do not match.", hint="Close every parenthesis that is opened, and no other."
        )


POSTGRESQL = Dialect("postgres", '"')
REDSHIFT = Dialect("redshift", '"', backslashes=True)
MYSQL = Dialect("mysql", "`", backslashes=True)
SQLITE = Dialect("sqlite", '"')
