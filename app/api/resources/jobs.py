from typing import Any
from uuid import UUID

from flask.views import MethodView

from app.api.schemas.jobs import (
    JobPageSchema,
    JobSaveSchema,
    JobSchema,
    LinePageSchema,
    LogQuery,
    ProgramPageSchema,
    RunPageSchema,
    RunSchema,
    RunsQuery,
    RunStartSchema,
)
from app.featurestore.jobs.infos import JobInfo, LineInfo, RunInfo
from app.featurestore.jobs.programs import ProgramInfo
from app.featurestore.jobs.service import RunFilter, SaveJob
from app.web.blueprint import Blueprint
from app.web.etags import expected_revision
from app.web.schemas import PageQuery
from app.web.state import current_container, request_context
from infra.database.paging import Page, PageRequest
from tenancy.actions import Action

blp = Blueprint("jobs", __name__, description="Jobs, and their runs in the background")
_RUN = "/projects/<project>/runs/<uuid:run_id>"


@blp.route("/projects/<project>/jobs")
class Jobs(MethodView):
    @blp.operation(action=Action.JOB_READ, query=PageQuery, returns=JobPageSchema)
    def get(self, page: PageRequest, project: str) -> Page[JobInfo]:
        return current_container().jobs.list_jobs(request_context(), project, page)


@blp.route("/projects/<project>/jobs/<name>")
class Job(MethodView):
    @blp.operation(action=Action.JOB_READ, returns=JobSchema)
    def get(self, project: str, name: str) -> JobInfo:
        return current_container().jobs.get(request_context(), project, name)

    @blp.operation(action=Action.JOB_SAVE, body=JobSaveSchema, returns=JobSchema)
    def put(self, command: SaveJob, project: str, name: str) -> JobInfo:
        return current_container().jobs.save(request_context(), project, name, command, expected_revision())

    @blp.operation(action=Action.JOB_DELETE, status=204)
    def delete(self, project: str, name: str) -> None:
        current_container().jobs.delete(request_context(), project, name)


@blp.route("/projects/<project>/jobs/<name>/runs")
class JobRuns(MethodView):
    @blp.operation(action=Action.JOB_RUN, body=RunStartSchema, returns=RunSchema, status=202, idempotent=True)
    def post(self, body: dict[str, Any], project: str, name: str) -> RunInfo:
        return current_container().jobs.start(request_context(), project, name, body["arguments"])


@blp.route("/projects/<project>/programs")
class Programs(MethodView):
    @blp.operation(action=Action.JOB_READ, returns=ProgramPageSchema)
    def get(self, project: str) -> Page[ProgramInfo]:
        return current_container().programs.list_programs(request_context(), project)


@blp.route("/projects/<project>/runs")
class Runs(MethodView):
    @blp.operation(action=Action.JOB_READ, query=RunsQuery, returns=RunPageSchema)
    def get(self, query: tuple[PageRequest, RunFilter], project: str) -> Page[RunInfo]:
        page, only = query
        return current_container().jobs.list_runs(request_context(), project, page, only)


@blp.route(_RUN)
class Run(MethodView):
    @blp.operation(action=Action.JOB_READ, returns=RunSchema)
    def get(self, project: str, run_id: UUID) -> RunInfo:
        return current_container().jobs.get_run(request_context(), project, run_id)


@blp.route(f"{_RUN}/log")
class RunLog(MethodView):
    @blp.operation(action=Action.JOB_READ_LOG, query=LogQuery, returns=LinePageSchema)
    def get(self, query: tuple[PageRequest, int], project: str, run_id: UUID) -> Page[LineInfo]:
        page, after = query
        return current_container().jobs.read_log(request_context(), project, run_id, page, after)


@blp.route(f"{_RUN}/cancel")
class RunCancellation(MethodView):
    @blp.operation(action=Action.JOB_RUN, returns=RunSchema)
    def post(self, project: str, run_id: UUID) -> RunInfo:
        return current_container().jobs.cancel(request_context(), project, run_id)


@blp.route(f"{_RUN}/retry")
class RunRetry(MethodView):
    @blp.operation(action=Action.JOB_RUN, returns=RunSchema, status=202, idempotent=True)
    def post(self, project: str, run_id: UUID) -> RunInfo:
        return current_container().jobs.retry(request_context(), project, run_id)
