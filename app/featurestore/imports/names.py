"""What columns of others are called here. Pure."""

import re
from collections.abc import Sequence

from infra.errors import InvalidInputError
from tenancy.names import NameNotValidError, require_name


def feature_name(column: str) -> str:
    """In lower case with underscores for white space, as Hive and Spark users have it. It may still be no name."""
    return re.sub(r"\s+", "_", column.strip()).lower()


def feature_names(columns: Sequence[str]) -> list[str]:
    """A feature's name for each column; raises InvalidInputError listing those that have none, and for two with the same."""
    names = [feature_name(column) for column in columns]
    errors: list[dict[str, object]] = []
    for column, name in zip(columns, names, strict=True):
        try:
            require_name(name, "feature")
        except NameNotValidError as error:
            errors.append({"field": column[:80], "message": error.detail, "candidates": list(error.candidates)})
    if errors:
        raise InvalidInputError(
            f"Some columns cannot name a feature: {', '.join(repr(error['field']) for error in errors[:5])}.",
            errors=errors[:20],
            hint="Capitals and spaces are mended by themselves; rename these at the source: 1 to 63 of a-z, 0-9 and _, "
            "starting with a letter.",
        )
    first: dict[str, str] = {}
    for column, name in zip(columns, names, strict=True):
        if name in first:
            raise InvalidInputError(
                f"Columns {first[name][:80]!r} and {column[:80]!r} would both be the feature {name!r}.",
                hint="Rename one of them at the source.",
            )
        first[name] = column
    return names
