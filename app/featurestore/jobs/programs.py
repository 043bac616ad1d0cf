"""Programs that projects may run: the operator's list, as one project sees it."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from app.featurestore.jobs.errors import ProgramNotFoundError
from infra.database.paging import Page
from infra.database.unit_of_work import Database
from infra.ports.executors import Executor
from tenancy.access import Authorizer
from tenancy.actions import Action
from tenancy.principals import RequestContext


@dataclass(frozen=True)
class Program:
    """`executor_kind` is the name under which its executor is registered."""

    name: str
    projects: frozenset[str]
    executor_kind: str
    executor: Executor
    takes_arguments: bool
    is_repeatable: bool


@dataclass(frozen=True)
class ProgramInfo:
    """`arguments` is `any` or `none`; command, host and role are the operator's own business."""

    name: str
    executor: str
    arguments: str

    @classmethod
    def of(cls, program: Program) -> "ProgramInfo":
        return cls(program.name, program.executor_kind, "any" if program.takes_arguments else "none")


class Programs:
    def __init__(self, programs: Iterable[Program] = ()) -> None:
        self._programs = {program.name: program for program in programs}

    def __len__(self) -> int:
        return len(self._programs)

    def of_project(self, project: str) -> list[Program]:
        """By name."""
        return [program for _, program in sorted(self._programs.items()) if project in program.projects]

    def find(self, project: str, name: str) -> Program | None:
        program = self._programs.get(name)
        return program if program is not None and project in program.projects else None

    def get(self, project: str, name: str) -> Program:
        """One that other projects alone may run answers as one that does not exist."""
        program = self.find(project, name)
        if program is None:
            known = [each.name for each in self.of_project(project)]
            raise ProgramNotFoundError(
                f"There is no program {name[:80]!r} for project {project!r}.",
                hint="The operator lists what may be run, and for whom.",
                candidates=get_close_matches(name, known, n=5, cutoff=0.5) or known[:5],
            )
        return program

    def elsewhere(self, name: str) -> Executor:
        """Where a program runs that outlives its worker, to stop it; whichever projects it is listed for by now."""
        program = self._programs.get(name)
        if program is None or not program.executor.is_remote:
            raise ProgramNotFoundError(
                f"No program {name[:80]!r} is listed any more that runs elsewhere.", hint="The operator stops it there."
            )
        return program.executor


class ProgramService:
    def __init__(self, *, database: Database, authorizer: Authorizer, programs: Programs) -> None:
        self._database = database
        self._authorizer = authorizer
        self._programs = programs

    @property
    def count(self) -> int:
        return len(self._programs)

    def list_programs(self, context: RequestContext, project: str) -> Page[ProgramInfo]:
        """All in one page: an operator writes them by hand."""
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.JOB_READ, project)
            return Page([ProgramInfo.of(program) for program in self._programs.of_project(access.project)])
