"""Imports as jobs."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.featurestore.imports.commands import ImportFiles, ImportSql, require_path, require_query, require_target
from app.featurestore.imports.service import ImportService
from app.featurestore.jobs.arguments import Arguments
from app.featurestore.jobs.handlers import Run
from tenancy.actions import Action


class ImportFilesKind:
    """Implements `JobKind`."""

    launches = Action.FEATURE_GROUP_CREATE

    def __init__(self, imports: ImportService) -> None:
        self._imports = imports
        self._arguments = Arguments(ImportFiles)

    def accept(self, project: str, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 the port's signature
        command = self._arguments.read(arguments)
        require_target(command)
        require_path(command.path)
        self._imports.require_format(command.data_format)
        return self._arguments.accept(arguments)

    def subject(self, project_id: UUID, arguments: Mapping[str, Any]) -> str:
        return _subject(project_id, arguments)

    def run(self, run: Run) -> dict[str, Any]:
        return self._imports.import_files(run, self._arguments.read(run.arguments))


class ImportSqlKind:
    """Implements `JobKind`."""

    launches = Action.FEATURE_GROUP_CREATE

    def __init__(self, imports: ImportService) -> None:
        self._imports = imports
        self._arguments = Arguments(ImportSql)

    def accept(self, project: str, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 the port's signature
        command = self._arguments.read(arguments)
        require_target(command)
        require_query(command.query)
        return self._arguments.accept(arguments)

    def subject(self, project_id: UUID, arguments: Mapping[str, Any]) -> str:
        return _subject(project_id, arguments)

    def run(self, run: Run) -> dict[str, Any]:
        return self._imports.import_sql(run, self._arguments.read(run.arguments))


def _subject(project_id: UUID, arguments: Mapping[str, Any]) -> str:
    """Of both kinds the same: two that make one group follow each other."""
    return f"import:{project_id}:{arguments['feature_group']}_{arguments['version']}"
