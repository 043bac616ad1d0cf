"""What is expected of a feature group's rows: a policy and rules, read from JSON and checked against a schema."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from app.featurestore.validation.rules import RULES, Rule
from infra.errors import InvalidInputError

T = TypeVar("T")
STRICT, REPORT = "strict", "report"
POLICIES = (STRICT, REPORT)
MAX_RULES: Final = 100
# Each reads the rows once more.
MAX_FURTHER_PASSES: Final = 10
# They are kept with the group, and something of them with every report.
MAX_JSON_BYTES: Final = 64 << 10


@dataclass(frozen=True)
class Expectations:
    """`strict`: rows that break a rule are not written. `report`: they are, and the report says so."""

    policy: str
    rules: tuple[Rule, ...]

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Expectations":
        """Raises InvalidInputError with an entry for every rule that makes no sense by itself."""
        policy, rules = given.get("policy", STRICT), given.get("rules", [])
        if policy not in POLICIES:
            raise InvalidInputError(f"There is no policy {str(policy)[:80]!r}.", candidates=POLICIES)
        if not isinstance(rules, Sequence) or not 0 < len(rules) <= MAX_RULES:
            raise InvalidInputError(f"Expectations are a list of 1 to {MAX_RULES} rules.")
        if len(json.dumps(rules)) > MAX_JSON_BYTES:
            raise InvalidInputError(
                f"The rules take more than {MAX_JSON_BYTES:,} bytes as JSON.", hint="Shorten the lists of values."
            )
        return cls(policy, tuple(_each(rules, _read)))

    def as_json(self) -> dict[str, Any]:
        """What `read` makes the same of."""
        return {"policy": self.policy, "rules": [_written(rule) for rule in self.rules]}

    def require_fit(self, schema: pa.Schema) -> None:
        """Raises InvalidInputError with an entry for every rule that does not go with the columns."""
        _each(self.rules, lambda rule: _require_fit(rule, schema))
        if sum(rule.passes for rule in self.rules) > MAX_FURTHER_PASSES:
            raise InvalidInputError(f"At most {MAX_FURTHER_PASSES} rules may compare rows with each other.")

    @property
    def columns(self) -> list[str]:
        """Every column that some rule reads, once."""
        return list(dict.fromkeys(column for rule in self.rules for column in rule.columns))


def _each(items: Sequence[Any], do: Callable[[Any], T]) -> list[T]:
    """Raises InvalidInputError with all that is wrong, not only the first of it."""
    done: list[T] = []
    wrong: list[dict[str, object]] = []
    candidates: Sequence[str] = ()
    for number, item in enumerate(items):
        try:
            done.append(do(item))
        except InvalidInputError as error:
            candidates = candidates or error.candidates
            wrong.append({"field": f"rules.{number}", "message": error.detail, "candidates": list(error.candidates)})
    if wrong:
        more = f" {len(wrong) - 1} more are in `errors`." if len(wrong) > 1 else ""
        raise InvalidInputError(
            f"The rules do not fit: {wrong[0]['field']}: {wrong[0]['message']}.{more}",
            candidates=candidates,
            errors=wrong[:20],
        )
    return done


def _read(given: Any) -> Rule:
    if not isinstance(given, Mapping) or not isinstance(given.get("rule"), str):
        raise InvalidInputError('a rule is an object with "rule", which says its kind', candidates=list(RULES))
    kind = RULES.get(given["rule"])
    if kind is None:
        raise InvalidInputError(f"there is no rule {given['rule'][:80]!r}", candidates=list(RULES))
    try:
        return TypeAdapter(kind).validate_python({name: value for name, value in given.items() if name != "rule"})
    except ValidationError as error:
        said = [
            f"{'.'.join(map(str, each['loc']))[:80]}: {each['msg'][:200]}"
            for each in error.errors(include_url=False, include_input=False)[:5]
        ]
        raise InvalidInputError(f"{given['rule']}: {'; '.join(said)}") from error


def _written(rule: Rule) -> dict[str, Any]:
    fields = TypeAdapter(type(rule)).dump_python(rule, mode="json", exclude_defaults=True)
    return {"rule": rule.kind, **fields}


def _require_fit(rule: Rule, schema: pa.Schema) -> None:
    columns = rule.columns
    unknown = [column for column in columns if column not in schema.names]
    if unknown:
        raise InvalidInputError(f"{rule.kind}: there is no feature {unknown[0]!r}", candidates=schema.names[:20])
    if len(set(columns)) < len(columns):
        raise InvalidInputError(f"{rule.kind}: a column stands twice")
    try:
        rule.require_fit(schema)
    except ValueError as error:
        raise InvalidInputError(f"{rule.kind}: {error}") from error
