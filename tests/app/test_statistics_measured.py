"""That the benchmark runs, and that what it measures agrees."""

from benchmarks.measuring import Options
from benchmarks.subjects import find_subjects


def test_the_benchmark_at_a_small_size() -> None:
    (findings,) = find_subjects()["statistics"].measure(Options(rows=10_000, repetitions=1))
    names = [row["way"] for row in findings.rows]
    assert names == ["pyarrow, scan alone", "DuckDB SUMMARIZE", "statistics, all four kinds"]
    assert findings.rows[0]["seconds over scan"] == 1.0
    assert {target.what for target in findings.targets} == {
        "seconds over a plain scan",
        "seconds over DuckDB SUMMARIZE",
        "MB",
    }
