from typing import Any

from marshmallow import Schema, fields, validate

from app.featurestore.jobs.models import RunState
from app.featurestore.jobs.service import RunFilter, SaveJob
from app.web.schemas import CommandSchema, PageQuery, page_of, text
from infra.database.paging import PageRequest


class RunErrorSchema(Schema):
    code = fields.String()
    title = fields.String()
    detail = fields.String()
    hint = fields.String(allow_none=True)
    candidates = fields.List(fields.String())


class RunSchema(Schema):
    id = fields.UUID()
    project = fields.String()
    job = fields.String(allow_none=True)
    kind = fields.String()
    subject = fields.String()
    arguments = fields.Dict()
    trigger = fields.String()
    requested_by = fields.String()
    state = fields.String()
    stage = fields.String()
    rows = fields.Integer()
    bytes = fields.Integer()
    attempt = fields.Integer()
    max_attempts = fields.Integer()
    cancel_requested = fields.Boolean()
    queued_at = fields.AwareDateTime(format="iso")
    started_at = fields.AwareDateTime(format="iso", allow_none=True)
    finished_at = fields.AwareDateTime(format="iso", allow_none=True)
    result = fields.Dict(allow_none=True)
    error = fields.Nested(RunErrorSchema, allow_none=True)


class JobSchema(Schema):
    id = fields.UUID()
    project = fields.String()
    name = fields.String()
    kind = fields.String()
    description = fields.String()
    arguments = fields.Dict()
    feature_groups = fields.List(fields.String())
    schedule = fields.String(allow_none=True)
    time_zone = fields.String()
    next_run_at = fields.AwareDateTime(format="iso", allow_none=True)
    last_run = fields.Nested(RunSchema, allow_none=True)
    created_at = fields.AwareDateTime(format="iso")
    created_by = fields.String()
    updated_at = fields.AwareDateTime(format="iso")
    revision = fields.Integer()


class JobSaveSchema(CommandSchema):
    command = SaveJob

    kind = text(32, required=True)
    arguments = fields.Dict(keys=fields.String())
    description = text(1_000)
    feature_groups = fields.List(text(80), validate=validate.Length(max=100))
    schedule = text(100, allow_none=True)
    time_zone = text(64)


class RunStartSchema(Schema):
    arguments = fields.Dict(keys=fields.String(), load_default=dict)


class RunsQuery(PageQuery):
    """A page, and which runs."""

    job = fields.String(load_default=None)
    state = fields.String(load_default=None, validate=validate.OneOf([state.value for state in RunState]))
    kind = fields.String(load_default=None)

    def build(self, data: dict[str, Any]) -> tuple[PageRequest, RunFilter]:
        only = RunFilter(**{name: data.pop(name) for name in ("job", "state", "kind")})
        return super().build(data), only


class LogQuery(PageQuery):
    """A page of lines, those alone that come after one that is known."""

    after = fields.Integer(load_default=0, validate=validate.Range(min=0))

    def build(self, data: dict[str, Any]) -> tuple[PageRequest, int]:
        after = data.pop("after")
        return super().build(data), after


class ProgramSchema(Schema):
    name = fields.String()
    executor = fields.String()
    arguments = fields.String()


class LineSchema(Schema):
    number = fields.Integer()
    at = fields.AwareDateTime(format="iso")
    level = fields.String()
    text = fields.String()


JobPageSchema = page_of(JobSchema)
RunPageSchema = page_of(RunSchema)
LinePageSchema = page_of(LineSchema)
ProgramPageSchema = page_of(ProgramSchema)
