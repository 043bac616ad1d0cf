"""Statistics of rows of any number, in bounded memory and two passes over at most 50 columns at a time.

The first pass sums up, the second one counts into bins whose edges the first has found, and correlates around its means. The
result is made of what JSON has, without NaN or infinity: null stands where there is no number. Blocks that were not asked
for are null, and so is a column's `histogram` where there is nothing to count.

    {
      "version": 1,
      "rows": 4,
      "columns": [
        {"name": "age", "type": "int64", "kind": "integer", "count": 3, "nulls": 1, "completeness": 0.75,
         "descriptive": {
           "nan": 0, "positive_infinity": 0, "negative_infinity": 0,
           "distinct": {"count": 2, "exact": true, "error": 0.0},
           "min": 20, "max": 40, "mean": 26.67, "stddev": 11.55, "sum": 80,
           "quantiles": {"exact": true, "rank_error": 0.0, "values": {"0.01": 20.0, "0.5": 20.0, …}}},
         "histogram": {"kind": "values", "values": [20, 40], "counts": [2, 1]}}],
      "correlations": {"method": "pearson", "columns": ["age"], "values": [[1.0]], "rows": 4, "exact": true},
      "clusters": {"skipped": "Clusters need two numeric columns, and there are 1."}
    }

`descriptive` by kind: integer, float and decimal as above, all but the counts of the finite values only. time: the same with
ISO text, `stddev` in seconds, no `sum`. boolean: `distinct`, `true`, `false`, `mean`. text: `distinct`, and `lengths` with
`min`, `max` and `mean` in characters. binary: the same in bytes. list: `lengths` in elements. other: nothing. `distinct` and
`count` leave out nulls, and `distinct` leaves out NaN. Histograms: see `histograms`. Clusters: `columns`, `rows`, `exact`,
`asked`, `count`, `inertia`, `sizes`, `centers`, `centers_in_plane`, `explained`, and `points` with `x`, `y` and `cluster`.

What is exact, and what is not:

- counts, extremes, moments, bins, Pearson's r: always. Integer sums are whole numbers of any size.
- quantiles, Spearman's r up to 262,144 rows, clusters up to 100,000 (fewer beyond 250 columns): from a uniform sample of so
  many rows beyond, Spearman's r of columns with gaps from 65,536. `rank_error` is how far a quantile may be off in rank, as a
  share of the column's values, in 99 of 100 cases; the standard error of r is about 1/sqrt(`rows`).
- distinct up to 65,536 values: beyond, `error` is the relative standard error. Decimals of more than 15 digits are told
  apart as floats are, and flagged.
- the most frequent texts up to 8,192 different ones: beyond, counts may be too low by `error`, a 4096th of all at most.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias

import pyarrow as pa

from app.featurestore.statistics.maths.clusters import ClusterRows
from app.featurestore.statistics.maths.correlations import CoMoments, described_matrix, spearman
from app.featurestore.statistics.maths.descriptive import (
    BooleanSummary,
    NumberSummary,
    Summary,
    TextSummary,
    new_summary,
)
from app.featurestore.statistics.maths.histograms import (
    Counter,
    Histogram,
    boolean_histogram,
    new_counter,
    text_histogram,
    with_labels,
    with_quantiles,
)
from app.featurestore.statistics.maths.kinds import Kind, kind_of, values_of
from app.featurestore.statistics.maths.options import (
    MOST_CORRELATED,
    PEARSON,
    SPEARMAN,
    StatisticsOptions,
    chosen_columns,
    numeric_columns,
    refused_matrix,
    require_options,
)
from app.featurestore.statistics.maths.sampling import RowSample, Sample
from app.featurestore.statistics.maths.scan import RowScan, blocks

VERSION: Final = 1
SUMMING_UP, COUNTING, CLUSTERING = "summing up", "counting", "clustering"
_GROUP: Final = MOST_CORRELATED
_WORKERS: Final = 2
"""More would wait for each other: a good part of the work holds Python's lock."""
_RANKED_BY_PAIRS: Final = 65_536
Progress: TypeAlias = Callable[[str, int], None]
_Each: TypeAlias = Callable[[Callable[[str], None], Sequence[str]], None]


def _unheard(_step: str, _rows: int) -> None:
    """Nobody asks how far it is."""


def compute_statistics(scan: RowScan, options: StatisticsOptions, progress: Progress = _unheard) -> dict[str, Any]:
    """Raises InvalidInputError as `require_options` does.

    `progress` is told what is being done, and with how many rows so far; it may raise to give up.
    """
    require_options(options, scan.schema)
    with _workers() as each:
        return _Computation(scan, options, progress, each).run()


@dataclass
class _Group:
    """Columns that are read together, and what was found out about them."""

    kinds: dict[str, Kind]
    numbers: dict[str, NumberSummary] = field(default_factory=dict)
    others: dict[str, Summary] = field(default_factory=dict)
    sample: Sample | None = None


class _Computation:
    def __init__(self, scan: RowScan, options: StatisticsOptions, progress: Progress, each: _Each) -> None:
        self._scan = scan
        self._options = options
        self._progress = progress
        self._each = each
        self._columns = chosen_columns(options, scan.schema)
        self._numeric = numeric_columns(options, scan.schema)
        self._bins = options.bins_among(len(self._columns))
        self._rows = scan.rows or 0
        self._correlations: dict[str, Any] | None = None
        self._cluster_rows = ClusterRows(self._numeric)

    def run(self) -> dict[str, Any]:
        described: dict[str, dict[str, Any]] = {}
        if self._options.correlations and (refusal := refused_matrix(self._numeric)):
            self._correlations = {"skipped": refusal}
        for group in self._groups():
            self._sum_up(group)
            counted = self._count(group)
            described.update(self._described(group, counted))
            if self._options.clusters and group.sample:
                self._cluster_rows.take(group.sample)
            # A sample is let go of before the next is drawn.
            group.sample = None
        return {
            "version": VERSION,
            "rows": self._rows,
            "columns": [described[name] for name in self._columns],
            "correlations": self._correlations,
            "clusters": self._clusters(),
        }

    def _groups(self) -> Iterator[_Group]:
        """All that are correlated come in one."""
        ordered = [*self._numeric, *(name for name in self._columns if name not in set(self._numeric))]
        for start in range(0, len(ordered), _GROUP):
            names = ordered[start : start + _GROUP]
            yield _Group({name: kind_of(self._scan.schema.field(name).type) for name in names})

    def _sum_up(self, group: _Group) -> None:
        for name, kind in group.kinds.items():
            summary = new_summary(self._scan.schema.field(name).type, kind)
            if isinstance(summary, NumberSummary):
                group.numbers[name] = summary
            else:
                group.others[name] = summary
        sample = RowSample(group.numbers)
        for block in blocks(self._scan, group.kinds):
            self._sum_up_block(group, sample, block)
            self._progress(SUMMING_UP, sample.rows)
        self._rows = sample.rows
        group.sample = sample.drawn()

    def _sum_up_block(self, group: _Group, sample: RowSample, block: pa.RecordBatch) -> None:
        chosen = sample.choose(block.num_rows)

        def add(name: str) -> None:
            column = block.column(name)
            if name in group.others:
                group.others[name].add(column)
                return
            values = values_of(column)
            group.numbers[name].add(values)
            sample.keep(name, values.take(chosen))

        self._each(add, list(group.kinds))
        sample.shrink()

    def _count(self, group: _Group) -> Mapping[str, Counter]:
        """The second pass, if there is anything to be counted or correlated. Returns the counters of histograms."""
        counters: dict[str, Counter] = {}
        if self._options.histograms:
            found = {name: new_counter(summary, self._bins) for name, summary in group.numbers.items()}
            counters = {name: counter for name, counter in found.items() if counter is not None}
        correlated = self._correlated(group)
        if correlated and self._options.correlation_method != PEARSON:
            self._correlations = self._spearman(group, correlated)
            correlated = ()
        together = CoMoments({name: group.numbers[name].moments for name in correlated})
        if self._rows and (counters or correlated):
            self._count_blocks(group, counters, together, correlated)
        if correlated:
            self._correlations = described_matrix(correlated, together.matrix(), PEARSON, self._rows, exact=True)
        return counters

    def _count_blocks(
        self, group: _Group, counters: Mapping[str, Counter], together: CoMoments, correlated: Sequence[str]
    ) -> None:
        names = [name for name in group.kinds if name in counters or name in correlated]
        rows = 0
        for block in blocks(self._scan, {name: group.kinds[name] for name in names}):
            self._each(partial(_count_column, block, counters, together, correlated), names)
            together.add(block.num_rows)
            rows += block.num_rows
            self._progress(COUNTING, rows)

    def _correlated(self, group: _Group) -> Sequence[str]:
        """The numeric columns, if this is their group and a matrix of them is asked for."""
        if not self._options.correlations or self._correlations is not None:
            return ()
        return self._numeric if set(self._numeric) <= set(group.kinds) else ()

    def _spearman(self, group: _Group, names: Sequence[str]) -> dict[str, Any]:
        assert group.sample is not None
        sample, columns = group.sample, [group.sample.columns[name] for name in names]
        if not sample.is_exact and any(values.known is not None for values in columns):
            # Each pair is ranked apart: with fifty columns of all that is kept it would take half a minute.
            fewer = sample.fewer(_RANKED_BY_PAIRS)
            columns = [values.take(fewer) for values in columns]
        rows = len(columns[0].values) if columns else 0
        return described_matrix(names, spearman(columns), SPEARMAN, rows, exact=sample.is_exact)

    def _described(self, group: _Group, counters: Mapping[str, Counter]) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, kind in group.kinds.items():
            summary = group.numbers.get(name) or group.others[name]
            count = summary.rows - summary.nulls
            yield (
                name,
                {
                    "name": name,
                    "type": str(self._scan.schema.field(name).type),
                    "kind": kind.value,
                    "count": count,
                    "nulls": summary.nulls,
                    "completeness": count / summary.rows if summary.rows else None,
                    "descriptive": self._descriptive(group, name) if self._options.descriptive else None,
                    "histogram": self._histogram(group, name, counters) if self._options.histograms else None,
                },
            )

    def _descriptive(self, group: _Group, name: str) -> dict[str, Any]:
        if name in group.others:
            return group.others[name].describe()
        assert group.sample is not None
        return group.numbers[name].describe_with(group.sample.columns[name], complete=group.sample.is_exact)

    def _histogram(self, group: _Group, name: str, counters: Mapping[str, Counter]) -> Histogram | None:
        if name in counters:
            assert group.sample is not None
            histogram = with_quantiles(counters[name].histogram(), group.sample.columns[name])
            is_time = group.kinds[name] is Kind.TIME
            return with_labels(histogram, self._scan.schema.field(name).type) if is_time else histogram
        summary = group.others.get(name)
        if isinstance(summary, BooleanSummary):
            return boolean_histogram(summary)
        return text_histogram(summary, self._bins) if isinstance(summary, TextSummary) else None

    def _clusters(self) -> dict[str, Any] | None:
        if not self._options.clusters:
            return None
        self._progress(CLUSTERING, self._rows)
        return self._cluster_rows.clusters(self._options.cluster_count)


def _count_column(
    block: pa.RecordBatch, counters: Mapping[str, Counter], together: CoMoments, correlated: Sequence[str], name: str
) -> None:
    values = values_of(block.column(name))
    if name in counters:
        known = values.known
        counters[name].add(values.values if known is None else values.values[known])
    if name in correlated:
        together.put(name, values)


@contextmanager
def _workers() -> Iterator[_Each]:
    with ThreadPoolExecutor(_WORKERS, "statistics") as pool:

        def each(work: Callable[[str], None], names: Sequence[str]) -> None:
            def share(start: int) -> None:
                for name in names[start::_WORKERS]:
                    work(name)

            _finish(pool.map(share, range(_WORKERS)))

        yield each


def _finish(results: Iterable[None]) -> None:
    for _ in results:
        pass
