"""What looking at rows has found. Values; JSON as it is kept and answered."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from app.featurestore.validation.errors import ValidationFailedError

EXAMPLES = 5
_NAMED = 5


@dataclass(frozen=True)
class Example:
    """`row` counts from 0 in the order in which the rows were sent; None where they have no order, or there is no one row."""

    row: int | None
    column: str
    value: str | None


@dataclass(frozen=True)
class Finding:
    """`rows_failed` are rows that break the rule by themselves; a rule about all of them may fail without any."""

    passed: bool
    rows_failed: int = 0
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class RuleResult:
    """A finding, with enough of the rule to be understood after the rule was changed."""

    rule: str
    name: str | None
    columns: tuple[str, ...]
    description: str
    passed: bool
    rows_passed: int
    rows_failed: int
    examples: tuple[Example, ...]

    @property
    def title(self) -> str:
        return self.name or self.description

    def as_error(self) -> dict[str, object]:
        rows = self.rows_passed + self.rows_failed
        counted = f"{self.rows_failed:,} of {rows:,} rows fail: " if self.rows_failed else ""
        return {
            "field": ", ".join(self.columns) or "rows",
            "message": f"{counted}{self.description}",
            "rule": self.rule,
            "name": self.name,
            "rows_passed": self.rows_passed,
            "rows_failed": self.rows_failed,
            "examples": [asdict(example) for example in self.examples],
        }


@dataclass(frozen=True)
class Report:
    policy: str
    rows: int
    results: tuple[RuleResult, ...]

    @property
    def passed(self) -> bool:
        return not self.failed

    @property
    def failed(self) -> Sequence[RuleResult]:
        return [result for result in self.results if not result.passed]

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(result) for result in self.results]

    def without_row_numbers(self) -> "Report":
        """Where rows come in any order, a number would name another row the next time."""
        results = [
            replace(result, examples=tuple(replace(example, row=None) for example in result.examples))
            for result in self.results
        ]
        return replace(self, results=tuple(results))

    def as_error(self, consequence: str, hint: str) -> ValidationFailedError:
        """The detail names rules alone, since it is also told to who may not see rows; `errors` has the examples."""
        names = "; ".join(result.title for result in self.failed[:_NAMED])
        more = "; …" if len(self.failed) > _NAMED else ""
        return ValidationFailedError(
            f"{len(self.failed)} of {len(self.results)} rules fail: {names}{more}. {consequence}",
            errors=[result.as_error() for result in self.failed],
            hint=hint,
        )
