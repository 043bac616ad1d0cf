"""Upkeep of feature groups as jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.featurestore.feature_groups.optimizing import OptimizeService
from app.featurestore.jobs.arguments import Arguments
from app.featurestore.jobs.handlers import Run
from tenancy.actions import Action


@dataclass(frozen=True)
class Optimize:
    """Which feature group."""

    feature_group: str
    version: int = 1


class OptimizeKind:
    """Implements `JobKind`."""

    launches = Action.FEATURE_GROUP_INSERT

    def __init__(self, optimizing: OptimizeService) -> None:
        self._optimizing = optimizing
        self._arguments = Arguments(Optimize)

    def accept(self, project: str, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 the port's signature
        return self._arguments.accept(arguments)

    def subject(self, project_id: UUID, arguments: Mapping[str, Any]) -> str:
        return f"optimize:{project_id}:{arguments['feature_group']}_{arguments['version']}"

    def run(self, run: Run) -> dict[str, Any]:
        asked = self._arguments.read(run.arguments)
        done = self._optimizing.optimize(
            run.context,
            run.project,
            asked.feature_group,
            asked.version,
            lambda rows: run.log.progress("rewriting", rows),
        )
        if done.table_version is None:
            run.log.line(f"Nothing to gain: the table has {done.files_before} files.")
        else:
            run.log.line(f"{done.files_before} files became {done.files_after}.")
        return vars(done)
