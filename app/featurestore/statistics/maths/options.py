"""What is asked of a computation of statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from app.featurestore.statistics.maths.kinds import is_numeric
from infra.errors import InvalidInputError

PEARSON, SPEARMAN = "pearson", "spearman"
METHODS: Final = (PEARSON, SPEARMAN)
MOST_CORRELATED: Final = 50
"""Columns of a correlation matrix: as in the original clients, and what one pass can hold."""
_FEWEST_BINS, _MOST_BINS = 2, 1000  # of one bin nothing can be drawn
DEFAULT_BINS: Final = 20
MOST_BINS_TOGETHER: Final = 100_000
_MOST_CLUSTERS: Final = 100
_SHOWN: Final = 20


@dataclass(frozen=True)
class StatisticsOptions:
    """Which of the four kinds of statistics, of which columns (none named: all), and how fine."""

    descriptive: bool = True
    correlations: bool = True
    histograms: bool = True
    clusters: bool = True
    columns: tuple[str, ...] = ()
    bins: int = DEFAULT_BINS
    correlation_method: str = PEARSON
    cluster_count: int = 5

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> "StatisticsOptions":
        """As JSON has them; None: everything."""
        given = dict(stored or {})
        return cls(**{**given, "columns": tuple(given.get("columns", ()))})

    def bins_among(self, columns: int) -> int:
        """Of each, where so many are described: what is kept of all of them together stays within a few megabytes."""
        return min(self.bins, max(DEFAULT_BINS, MOST_BINS_TOGETHER // max(columns, 1)))


def require_options(options: StatisticsOptions, schema: pa.Schema) -> None:
    """Raises InvalidInputError unless rows of this schema can be described like this.

    More than 50 numeric columns are refused only where they were named one by one: whoever named none asked for whatever
    there is, and gets everything but the matrix.
    """
    if not _FEWEST_BINS <= options.bins <= _MOST_BINS:
        raise InvalidInputError(
            f"A histogram has {_FEWEST_BINS} to {_MOST_BINS} bins, not {options.bins}.", hint="20 is the default."
        )
    if options.correlation_method not in METHODS:
        raise InvalidInputError(
            f"{options.correlation_method[:40]!r} is no way to correlate columns.", candidates=METHODS
        )
    if not 1 <= options.cluster_count <= _MOST_CLUSTERS:
        raise InvalidInputError(
            f"There are 1 to {_MOST_CLUSTERS} clusters, not {options.cluster_count}.", hint="5 is the default."
        )
    _require_columns(options.columns, schema)
    if options.correlations and options.columns and (refusal := refused_matrix(numeric_columns(options, schema))):
        raise InvalidInputError(refusal, hint="Name fewer columns, or leave correlations out.")


def chosen_columns(options: StatisticsOptions, schema: pa.Schema) -> tuple[str, ...]:
    return options.columns or tuple(schema.names)


def numeric_columns(options: StatisticsOptions, schema: pa.Schema) -> tuple[str, ...]:
    """Those that are correlated and clustered."""
    return tuple(name for name in chosen_columns(options, schema) if is_numeric(schema.field(name).type))


def refused_matrix(numeric: Sequence[str]) -> str | None:
    """Why these columns get no correlation matrix."""
    if len(numeric) <= MOST_CORRELATED:
        return None
    return (
        f"There are {len(numeric)} numeric columns, and a correlation matrix has at most {MOST_CORRELATED}. "
        "Ask for fewer by naming columns."
    )


def _require_columns(columns: Sequence[str], schema: pa.Schema) -> None:
    unknown = [name for name in columns if name not in schema.names]
    if unknown:
        raise InvalidInputError(
            f"The rows have no column {unknown[0][:80]!r}.",
            hint="Columns are named as in the schema, capitals included.",
            candidates=schema.names[:_SHOWN],
        )
    if len(set(columns)) < len(columns):
        raise InvalidInputError("A column is named twice.")
    if len(set(schema.names)) < len(schema.names):
        raise InvalidInputError("Two columns of the rows have the same name.")
