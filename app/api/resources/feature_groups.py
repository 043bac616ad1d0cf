from typing import Any

from flask import Response
from flask.views import MethodView

from app.api.schemas.feature_groups import (
    FeatureGroupCreateSchema,
    FeatureGroupPageSchema,
    FeatureGroupSchema,
    FeatureGroupUpdateSchema,
    InsertQuery,
    InsertSchema,
    NamedPageQuery,
    PartitionsSchema,
    RowsQuery,
    TagSchema,
    TagSetSchema,
    TagsSchema,
)
from app.featurestore.feature_groups.service import FeatureGroupInfo, InsertInfo, UpdateFeatureGroup
from app.web.arrow import arrow_response
from app.web.blueprint import Blueprint
from app.web.bodies import receive_command, receive_frame
from app.web.etags import expected_revision
from app.web.state import current_container, request_context
from infra.database.paging import Page, PageRequest
from tenancy.actions import Action

blp = Blueprint("feature-groups", __name__, description="Feature groups and their rows")
_GROUP = "/projects/<project>/feature-groups/<name>/versions/<int:version>"


@blp.route("/projects/<project>/feature-groups")
class FeatureGroups(MethodView):
    @blp.operation(action=Action.FEATURE_GROUP_READ, query=NamedPageQuery, returns=FeatureGroupPageSchema)
    def get(self, query: tuple[PageRequest, str | None], project: str) -> Page[FeatureGroupInfo]:
        page, name = query
        return current_container().feature_groups.list_feature_groups(request_context(), project, page, name)

    @blp.operation(
        action=Action.FEATURE_GROUP_CREATE,
        body=FeatureGroupCreateSchema,
        returns=FeatureGroupSchema,
        status=201,
        idempotent=True,
        takes_frame=True,
    )
    def post(self, project: str) -> FeatureGroupInfo:
        spec, frame = receive_command(FeatureGroupCreateSchema())
        return current_container().feature_groups.create(request_context(), project, spec, frame)


@blp.route(_GROUP)
class FeatureGroup(MethodView):
    @blp.operation(action=Action.FEATURE_GROUP_READ, returns=FeatureGroupSchema)
    def get(self, project: str, name: str, version: int) -> FeatureGroupInfo:
        return current_container().feature_groups.get(request_context(), project, name, version)

    @blp.operation(action=Action.FEATURE_GROUP_UPDATE, body=FeatureGroupUpdateSchema, returns=FeatureGroupSchema)
    def patch(self, command: UpdateFeatureGroup, project: str, name: str, version: int) -> FeatureGroupInfo:
        groups = current_container().feature_groups
        return groups.update(request_context(), project, name, version, command, expected_revision())

    @blp.operation(action=Action.FEATURE_GROUP_DELETE, status=204)
    def delete(self, project: str, name: str, version: int) -> None:
        current_container().feature_groups.delete(request_context(), project, name, version)


@blp.route(f"{_GROUP}/rows")
class FeatureGroupRows(MethodView):
    @blp.operation(action=Action.FEATURE_GROUP_READ_ROWS, query=RowsQuery, answers_rows=True)
    def get(self, query: dict[str, Any], project: str, name: str, version: int) -> Response:
        queries = current_container().queries
        columns = [column for column in query["columns"].split(",") if column]
        retrieval = queries.retrieve_group(request_context(), project, name, version, columns)
        return arrow_response(retrieval.schema, queries.run(retrieval), query["compression"])

    @blp.operation(
        action=Action.FEATURE_GROUP_INSERT, query=InsertQuery, returns=InsertSchema, idempotent=True, takes_frame=True
    )
    def post(self, query: dict[str, Any], project: str, name: str, version: int) -> InsertInfo:
        groups = current_container().feature_groups
        return groups.insert(request_context(), project, name, version, query["mode"], receive_frame())


@blp.route(f"{_GROUP}/partitions")
class FeatureGroupPartitions(MethodView):
    @blp.operation(action=Action.FEATURE_GROUP_READ_ROWS, returns=PartitionsSchema)
    def get(self, project: str, name: str, version: int) -> dict[str, Any]:
        groups = current_container().feature_groups
        return {"items": groups.list_partitions(request_context(), project, name, version), "next_cursor": None}


@blp.route(f"{_GROUP}/tags")
class FeatureGroupTags(MethodView):
    @blp.operation(action=Action.FEATURE_GROUP_READ, returns=TagsSchema)
    def get(self, project: str, name: str, version: int) -> dict[str, Any]:
        group = current_container().feature_groups.get(request_context(), project, name, version)
        return {"items": [{"name": tag, "value": value} for tag, value in group.tags.items()]}


@blp.route(f"{_GROUP}/tags/<tag>")
class FeatureGroupTag(MethodView):
    @blp.operation(action=Action.FEATURE_GROUP_UPDATE, body=TagSetSchema, returns=TagSchema)
    def put(self, body: dict[str, str], project: str, name: str, version: int, tag: str) -> dict[str, str]:
        groups = current_container().feature_groups
        groups.set_tag(request_context(), project, name, version, tag, body["value"])
        return {"name": tag, "value": body["value"]}

    @blp.operation(action=Action.FEATURE_GROUP_UPDATE, status=204)
    def delete(self, project: str, name: str, version: int, tag: str) -> None:
        current_container().feature_groups.remove_tag(request_context(), project, name, version, tag)
