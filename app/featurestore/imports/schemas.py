"""One schema for many files. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from app.featurestore.imports.folders import ChosenFile
from app.featurestore.imports.names import feature_names
from infra.arrow_types import plain, unified
from infra.errors import InvalidInputError
from infra.ports.imports import MOST_COLUMNS, SourceFileInvalidError

WantedFeature: TypeAlias = Callable[[str], pa.DataType | None]


@dataclass(frozen=True)
class DescribedFile:
    """`schema` has the columns as the file names them."""

    file: ChosenFile
    schema: pa.Schema

    @property
    def path(self) -> str:
        return self.file.entry.path


def unified_schema(files: Sequence[DescribedFile], folders: dict[str, pa.DataType], wanted: WantedFeature) -> pa.Schema:
    """Every column of any file by feature name, then those of folders; the types hold what all files have.

    Raises InvalidInputError naming two files and the column whose types cannot be told apart.
    """
    types: dict[str, pa.DataType] = {}
    seen_in: dict[str, DescribedFile] = {}
    for file in files:
        for name, kind in zip(_names(file), map(plain, file.schema.types), strict=True):
            both = unified(types.get(name, pa.null()), kind)
            if both is None:
                raise _conflict(name, seen_in[name], types[name], file, kind)
            types[name] = both
            if not pa.types.is_null(kind):
                seen_in.setdefault(name, file)
        if len(types) > MOST_COLUMNS:
            raise SourceFileInvalidError(
                f"{file.path[:200]!r} and those before it have more than {MOST_COLUMNS:,} columns together.",
                hint="Import the files apart.",
            )
    for name, kind in folders.items():
        types.setdefault(name, kind)
    feature_names(list(types))
    # A column of nothing but nulls has the type that is wanted, which the files could not tell.
    return pa.schema(
        [(name, (wanted(name) or kind) if pa.types.is_null(kind) else kind) for name, kind in types.items()]
    )


def _names(file: DescribedFile) -> list[str]:
    try:
        return feature_names(file.schema.names)
    except InvalidInputError as error:
        raise SourceFileInvalidError(
            f"{file.path[:200]!r}: {error.detail}", hint=error.hint, errors=error.errors
        ) from error


def _conflict(
    name: str, first: DescribedFile, first_type: pa.DataType, other: DescribedFile, kind: pa.DataType
) -> SourceFileInvalidError:
    message = f"is {first_type} in {first.path[:200]!r} and {kind} in {other.path[:200]!r}"
    return SourceFileInvalidError(
        f"Column {name[:80]!r} {message}.",
        errors=[{"field": name[:80], "message": message}],
        hint="Import the files apart, write one of them anew, or, for csv, tsv and json, say the type in `features`.",
    )
