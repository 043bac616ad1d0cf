"""Patterns of Hive's and Spark's functions as DuckDB's: of dates, and of what stands for a match. Pure."""

import re
from typing import Final

from infra.errors import QueryRefusedError

_LETTERS: Final = {
    "y": "%Y", "yyyy": "%Y", "yy": "%y",
    "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m",
    "dd": "%d", "d": "%-d", "DDD": "%j", "D": "%-j",
    "EEEE": "%A", "EEE": "%a", "EE": "%a", "E": "%a",
    "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "a": "%p",
    "mm": "%M", "m": "%-M", "ss": "%S", "s": "%-S", "SSS": "%g", "SSSSSS": "%f",
}  # fmt: skip
# A text in quotes, in which two are one; a letter as often as it stands there; or whatever else, which stays.
_PART: Final = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|(.)", re.DOTALL)
_REPLACEMENT: Final = re.compile(r"\\(.)|\$(\d)(?!\d)|[\\$]", re.DOTALL)


def strftime_of(pattern: str) -> str:
    """A pattern of dates such as `yyyy-MM-dd` in the signs of strftime."""
    return _PART.sub(_sign, pattern)


def _sign(part: re.Match[str]) -> str:
    if part[2] is None:
        text = part[0] if part[1] is None else part[1].replace("''", "'") or "'"
        if part[3] == "'":
            raise QueryRefusedError("A pattern of dates has a quotation mark without its end.")
        return text.replace("%", "%%")
    if part[0] not in _LETTERS:
        raise QueryRefusedError(
            f"{part[0][:20]!r} in a pattern of dates has no counterpart in DuckDB's SQL, which runs here.",
            hint="Use other letters, quote text as in yyyy-MM-dd'T'HH:mm, or write that part in DuckDB's SQL.",
        )
    return _LETTERS[part[0]]


def replacement_of(text: str) -> str:
    """What regexp_replace puts in place of a match, in the signs of RE2 for the groups of Java's `$1`."""
    return _REPLACEMENT.sub(_reference, text)


def _reference(part: re.Match[str]) -> str:
    if part[2] is not None:
        return f"\\{part[2]}"
    if part[1] is None:
        raise QueryRefusedError(
            "The replacement of regexp_replace has no counterpart in DuckDB's SQL, which runs here.",
            hint="It takes $0 to $9 for groups, and \\$ and \\\\ for these signs.",
        )
    return "\\\\" if part[1] == "\\" else part[1]
