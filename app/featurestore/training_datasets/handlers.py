"""Training datasets as jobs."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.featurestore.jobs.arguments import Arguments
from app.featurestore.jobs.handlers import Run
from app.featurestore.training_datasets.service import CreateTrainingDataset, TrainingDatasetService
from infra.errors import InvalidInputError
from tenancy.actions import Action


class CreateTrainingDatasetKind:
    """Implements `JobKind`: the arguments are what a request to create one has in its body."""

    launches = Action.TRAINING_DATASET_CREATE

    def __init__(self, datasets: TrainingDatasetService) -> None:
        self._datasets = datasets
        self._arguments = Arguments(CreateTrainingDataset)

    def accept(self, project: str, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 the port's signature
        command = self._arguments.read(arguments)
        if (command.query is None) == (command.sql is None):
            raise InvalidInputError("A job makes a training dataset of a query or of SQL: give one of them.")
        self._datasets.check(command)
        return self._arguments.accept(arguments)

    def subject(self, project_id: UUID, arguments: Mapping[str, Any]) -> str:
        return f"training-dataset:{project_id}:{arguments['name']}_{arguments['version']}"

    def run(self, run: Run) -> dict[str, Any]:
        command = self._arguments.read(run.arguments)
        run.log.progress("writing")
        made = self._datasets.create(run.context, run.project, command)
        run.log.line(f"Training dataset {made.name} version {made.version}: {made.rows:,} rows, {made.bytes:,} bytes.")
        return {"name": made.name, "version": made.version, "rows": made.rows, "bytes": made.bytes}
