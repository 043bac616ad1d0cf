"""What the gateway says of rules, and of rows that were held against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Dict, List, Optional

from hops.featurestore.metadata import from_json


@dataclass(frozen=True)
class Expectations:
    """No rules: nothing is expected. Can be given to `set_expectations` of another feature group as it is."""

    policy: str
    rules: Sequence[Mapping[str, Any]]
    revision: Optional[int] = None

    def to_json_dict(self) -> Dict[str, Any]:
        return {"policy": self.policy, "rules": [dict(rule) for rule in self.rules]}


@dataclass(frozen=True)
class ValidationResult:
    """One rule on one set of rows. `examples` are up to five, each with `row` (from 0), `column` and `value`."""

    rule: str
    passed: bool
    description: str = ""
    name: Optional[str] = None
    columns: Sequence[str] = ()
    rows_passed: int = 0
    rows_failed: int = 0
    examples: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Validation:
    """`of` is "insert" or "table"; `table_version` is None for an insert that was rejected, or of which no end is known."""

    id: str
    of: str
    passed: bool
    rows: int
    policy: str
    results: Sequence[ValidationResult]
    table_version: Optional[int] = None
    at: Optional[str] = None
    by: Optional[str] = None

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> Validation:
        results = [from_json(ValidationResult, each) for each in answer["results"]]
        return from_json(cls, {**answer, "results": results})

    @property
    def failed(self) -> List[ValidationResult]:
        return [result for result in self.results if not result.passed]

    def __repr__(self) -> str:
        rejected = self.policy == "strict" and not self.passed
        without = "rejected insert" if rejected else "insert without a known end"
        what = without if self.table_version is None else f"{self.of} at version {self.table_version}"
        told = (
            "all rules hold" if self.passed else "; ".join(result.name or result.description for result in self.failed)
        )
        return f"Validation({what}, {self.rows} rows: {told})"
