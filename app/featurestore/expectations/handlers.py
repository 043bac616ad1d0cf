"""Validations of tables as runs of the queue."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from app.featurestore.expectations.service import KIND, run_subject
from app.featurestore.expectations.tables import TableValidator
from app.featurestore.jobs.arguments import Arguments
from app.featurestore.jobs.handlers import Run
from tenancy.actions import Action

__all__ = ["KIND", "ValidationKind"]


@dataclass(frozen=True)
class Validate:
    """Which feature group."""

    feature_group: str
    version: int = 1


class ValidationKind:
    """Implements `JobKind`. A run fails where a rule is broken: what nobody looks at must show in the list of runs."""

    launches = Action.FEATURE_GROUP_UPDATE

    def __init__(self, validator: TableValidator) -> None:
        self._validator = validator
        self._arguments = Arguments(Validate)

    def accept(self, project: str, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 the port's signature
        return self._arguments.accept(arguments)

    def subject(self, project_id: UUID, arguments: Mapping[str, Any]) -> str:
        return run_subject(project_id, arguments["feature_group"], arguments["version"])

    def run(self, run: Run) -> dict[str, Any]:
        asked = self._arguments.read(run.arguments)
        done = self._validator.validate(
            run.context,
            run.project,
            asked.feature_group,
            asked.version,
            lambda rows: run.log.progress("checking", rows),
        )
        run.log.line(f"{done.rows:,} rows keep {done.rules} rules.")
        return asdict(done)
