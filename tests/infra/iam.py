"""Whether a policy document lets a request through, as AWS's documentation of IAM has it. Knows nothing of how ours are made."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r"\$\{([^}]*)\}|(\*)|(\?)|(.)", re.DOTALL)


@dataclass(frozen=True)
class Asked:
    action: str
    resource: str
    context: Mapping[str, str]


def allows(document: Mapping[str, Any], asked: Asked) -> bool:
    """An explicit Deny beats every Allow, and what nothing allows is denied."""
    effects = {statement["Effect"] for statement in document["Statement"] if _applies(statement, asked)}
    return effects == {"Allow"}


def _applies(statement: Mapping[str, Any], asked: Asked) -> bool:
    assert set(statement) <= {"Effect", "Action", "Resource", "Condition"}, "this evaluator knows no other element"
    is_action = any(_like(pattern, asked.action, re.IGNORECASE) for pattern in _listed(statement["Action"]))
    is_resource = any(_like(pattern, asked.resource) for pattern in _listed(statement["Resource"]))
    return is_action and is_resource and all(_conditions(statement.get("Condition", {}), asked))


def _conditions(conditions: Mapping[str, Any], asked: Asked) -> Iterator[bool]:
    for operator, keys in conditions.items():
        assert operator == "StringLike", "this evaluator knows no other operator"
        for key, patterns in keys.items():
            value = asked.context.get(key)
            # A key that the request lacks matches nothing.
            yield value is not None and any(_like(pattern, value) for pattern in _listed(patterns))


def _like(pattern: str, text: str, flags: int = 0) -> bool:
    return re.fullmatch("".join(_expressions(pattern)), text, flags | re.DOTALL) is not None


def _expressions(pattern: str) -> Iterator[str]:
    for variable, many, one, plain in _TOKEN.findall(pattern):
        if variable:
            # `${*}`, `${?}` and `${$}` are the signs themselves; any other variable is empty in these requests.
            yield re.escape(variable) if variable in {"*", "?", "$"} else "(?!)"
        else:
            yield ".*" if many else "." if one else re.escape(plain)


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value
