"""Reads the operator's file of programs."""

import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.featurestore.jobs.programs import Program, Programs
from infra.errors import GatewayError, InvalidInputError
from infra.ports.executors import ExecutorKind, OperatorSecrets, ProgramsNotValidError
from infra.registry import Registry

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_ARGUMENTS = {"any": True, "none": False}


@dataclass(frozen=True)
class _Wrong:
    program: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.program}, {self.field}: {self.message}" if self.field else f"{self.program}: {self.message}"


def read_programs(path: Path | None, executors: Registry[ExecutorKind], secrets: OperatorSecrets) -> Programs:
    """Without a file there are no programs. Raises ProgramsNotValidError that names every wrong field of every program."""
    if path is None:
        return Programs()
    tables = _read(path)
    wrong = [each for name, table in tables.items() for each in _wrong(name, table)]
    programs = []
    for name, table in tables.items() if not wrong else ():
        try:
            programs.append(_program(name, table, executors, secrets))
        except InvalidInputError as error:
            wrong.extend(_told(name, error))
    if wrong:
        raise ProgramsNotValidError(
            f"{path} is not valid. " + "; ".join(map(str, wrong[:20])) + ".",
            hint="docs/jobs.md describes each field.",
            errors=[{"field": f"{each.program}.{each.field}", "message": each.message} for each in wrong[:20]],
        )
    return Programs(programs)


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_mode & stat.S_IWOTH:
            raise ProgramsNotValidError(
                f"Everybody may write {path}, and so decide what runs here.", hint=f"chmod o-w {path}"
            )
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProgramsNotValidError(
            f"{path} cannot be read: {error.strerror}.", hint="OAST_JOBS__PROGRAMS names the file."
        ) from error
    except ValueError as error:
        raise ProgramsNotValidError(f"{path} is no TOML: {error}.") from error


def _wrong(name: str, table: Any) -> Iterator[_Wrong]:
    """What is wrong whatever the executor."""
    if not _NAME.fullmatch(name):
        yield _Wrong(name[:80], "", "a name is up to 63 of a-z, 0-9 and _, and starts with a letter")
    if not isinstance(table, Mapping):
        yield _Wrong(name[:80], "", "is no table")
        return
    projects = table.get("projects")
    if not isinstance(projects, list) or not projects or not all(isinstance(each, str) for each in projects):
        yield _Wrong(name, "projects", "must list the projects that may run it")
    elif not all(_NAME.fullmatch(project) for project in projects):
        yield _Wrong(name, "projects", "must be names of projects, one by one; there is no pattern for all")
    if not isinstance(table.get("executor"), str):
        yield _Wrong(name, "executor", "must be the name of an executor")
    if table.get("arguments", "none") not in _ARGUMENTS:
        yield _Wrong(name, "arguments", 'must be "any" or "none"')
    if not isinstance(table.get("repeatable", False), bool):
        yield _Wrong(name, "repeatable", "must be true or false")


def _program(
    name: str, table: Mapping[str, Any], executors: Registry[ExecutorKind], secrets: OperatorSecrets
) -> Program:
    ours = ("projects", "executor", "arguments", "repeatable")
    kind = executors.load(table["executor"])
    executor = kind.open({field: value for field, value in table.items() if field not in ours}, secrets)
    return Program(
        name=name,
        projects=frozenset(table["projects"]),
        executor_kind=table["executor"],
        executor=executor,
        takes_arguments=_ARGUMENTS[table.get("arguments", "none")],
        # A remote one is found again rather than repeated.
        is_repeatable=executor.is_remote or table.get("repeatable", False),
    )


def _told(name: str, error: GatewayError) -> Iterator[_Wrong]:
    if not error.errors:
        known = f" ({', '.join(error.candidates)})" if error.candidates else ""
        yield _Wrong(name, "executor", error.detail.rstrip(".") + known)
    for each in error.errors:
        yield _Wrong(name, str(each["field"]), str(each["message"]).rstrip("."))
