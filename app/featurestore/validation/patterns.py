"""Patterns of texts as RE2 reads them: no look-around, no back-references, and time that grows with the text only."""

from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

MAX_PATTERN: Final = 1_000
# The time for one byte still grows with the pattern: a bound on how long anything but looking can be waited for.
MAX_TEXT_BYTES: Final = 65_536
_SLICE_BYTES: Final = 65_536


def require_compiles(pattern: str) -> None:
    """Raises ValueError in the engine's words."""
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except (pa.ArrowException, UnicodeEncodeError) as error:
        words = str(error).removeprefix("Invalid regular expression: ")
        raise ValueError(f"the pattern is not one of RE2: {words[:200]}") from error


def matches(texts: pa.Array, pattern: str, require_time: Callable[[], None]) -> pa.Array:
    """Whether the pattern is found somewhere in each text; null for null, false for texts of more than 65,536 bytes."""
    size = max(1, len(texts) * _SLICE_BYTES // max(1, texts.nbytes))
    found = []
    for start in range(0, len(texts), size):
        require_time()
        found.append(_matches(texts.slice(start, size), pattern))
    return pa.chunked_array(found, pa.bool_()).combine_chunks()


def _matches(texts: pa.Array, pattern: str) -> pa.Array:
    is_long = pc.greater(pc.binary_length(texts), MAX_TEXT_BYTES)
    if not pc.any(is_long).as_py():
        return pc.match_substring_regex(texts, pattern)
    short = pc.if_else(is_long, "", texts)
    return pc.and_not(pc.match_substring_regex(short, pattern), is_long)
