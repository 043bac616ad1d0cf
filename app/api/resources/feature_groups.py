from contextlib import suppress
from typing import Any

from flask import Response
from flask.views import MethodView

from app.api.schemas.feature_groups import (
    AppendFeaturesSchema,
    ChangesQuery,
    CommitsSchema,
    FeatureGroupCreateSchema,
    FeatureGroupPageSchema,
    FeatureGroupSchema,
    FeatureGroupSourceSchema,
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
from app.api.schemas.staging import StagedRowsSchema
from app.featurestore.feature_groups.infos import FeatureGroupInfo
from app.featurestore.feature_groups.on_demand import CreateOnDemand, OnDemandInfo
from app.featurestore.feature_groups.rules import FeatureSpec
from app.featurestore.feature_groups.service import InsertInfo, UpdateFeatureGroup
from app.featurestore.vending.service import GroupName
from app.web.arrow import arrow_response
from app.web.blueprint import Blueprint
from app.web.bodies import is_reference, receive_command, receive_frame, receive_reference
from app.web.disconnect import client_gone
from app.web.etags import expected_revision
from app.web.parts import part_response, parts_response, takes_parts
from app.web.state import current_container, request_context
from infra.database.paging import Page, PageRequest
from infra.errors import InvalidInputError
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
        if isinstance(spec, CreateOnDemand):
            if frame is not None:
                raise InvalidInputError("An on-demand feature group takes no rows; it is sent as JSON.")
            return current_container().on_demand.create(request_context(), project, spec)
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


@blp.route(f"{_GROUP}/source")
class FeatureGroupSource(MethodView):
    @blp.operation(action=Action.CONNECTOR_READ, returns=FeatureGroupSourceSchema)
    def get(self, project: str, name: str, version: int) -> OnDemandInfo:
        return current_container().on_demand.get_source(request_context(), project, name, version)


@blp.route(f"{_GROUP}/rows")
class FeatureGroupRows(MethodView):
    @blp.operation(action=Action.FEATURE_GROUP_READ_ROWS, query=RowsQuery, answers_rows=True)
    def get(self, query: dict[str, Any], project: str, name: str, version: int) -> Response:
        queries = current_container().queries
        columns = [column for column in query["columns"].split(",") if column]
        retrieval = queries.retrieve_group(request_context(), project, name, version, columns, query["as_of"])
        if takes_parts() and (manifest := current_container().parts.offer(request_context(), retrieval)):
            return parts_response(manifest, project=project, name=name, version=version)
        return arrow_response(queries.run(retrieval, compression=query["compression"].value, abandoned=client_gone()))

    @blp.operation(
        action=Action.FEATURE_GROUP_INSERT, query=InsertQuery, returns=InsertSchema, idempotent=True, takes_frame=True
    )
    def post(self, query: dict[str, Any], project: str, name: str, version: int) -> InsertInfo:
        context, container = request_context(), current_container()
        if is_reference():
            staged = receive_reference(StagedRowsSchema())
            return container.staging.insert(context, GroupName(project, name, version), query["mode"], staged)
        return container.feature_groups.insert(context, project, name, version, query["mode"], receive_frame())


@blp.route(f"{_GROUP}/parts/<int:table_version>")
class FeatureGroupParts(MethodView):
    @blp.operation(action=Action.FEATURE_GROUP_READ_ROWS, answers_rows=True)
    def get(self, project: str, name: str, version: int, table_version: int) -> Response:
        manifest = current_container().parts.get(request_context(), project, name, version, table_version)
        return parts_response(manifest, project=project, name=name, version=version)


@blp.route(f"{_GROUP}/parts/<int:table_version>/<int:part>")
class FeatureGroupPart(MethodView):
    @blp.operation(action=Action.FEATURE_GROUP_READ_ROWS, answers_rows=True)
    def get(self, project: str, name: str, version: int, table_version: int, part: int) -> Response:
        parts, context = current_container().parts, request_context()
        with suppress(FileNotFoundError):
            return part_response(parts.file(context, project, name, version, table_version, part))
        # Its group was deleted between the two; asked again, the service says so.
        return part_response(parts.file(context, project, name, version, table_version, part))


@blp.route(f"{_GROUP}/changes")
class FeatureGroupChanges(MethodView):
    @blp.operation(action=Action.FEATURE_GROUP_READ_ROWS, query=ChangesQuery, answers_rows=True)
    def get(self, query: dict[str, Any], project: str, name: str, version: int) -> Response:
        changes, compression = current_container().changes, query["compression"].value
        between = (query["from"], query["to"])
        comparison = changes.compare(request_context(), project, name, version, *between, compression=compression)
        return arrow_response(changes.run(comparison, abandoned=client_gone()))


@blp.route(f"{_GROUP}/commits")
class FeatureGroupCommits(MethodView):
    @blp.operation(action=Action.FEATURE_GROUP_READ, returns=CommitsSchema)
    def get(self, project: str, name: str, version: int) -> dict[str, Any]:
        history = current_container().feature_group_history
        return {"items": history.list_commits(request_context(), project, name, version), "next_cursor": None}


@blp.route(f"{_GROUP}/features")
class FeatureGroupFeatures(MethodView):
    @blp.operation(action=Action.FEATURE_GROUP_UPDATE, body=AppendFeaturesSchema, returns=FeatureGroupSchema)
    def post(self, features: tuple[FeatureSpec, ...], project: str, name: str, version: int) -> FeatureGroupInfo:
        history = current_container().feature_group_history
        return history.append_features(request_context(), project, name, version, features, expected_revision())


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
