from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO

from flask import Response
from flask.views import MethodView

from app.api.schemas.feature_groups import NamedPageQuery
from app.api.schemas.training_datasets import (
    ManifestSchema,
    RecreatedSchema,
    RecreateSchema,
    TrainingDatasetCreateSchema,
    TrainingDatasetPageSchema,
    TrainingDatasetSchema,
    TrainingInsertQuery,
    TrainingRowsQuery,
)
from app.featurestore.training_datasets.service import (
    InsertMode,
    Manifest,
    ReadRows,
    RecreatedInfo,
    RecreateTrainingDataset,
    TrainingDatasetInfo,
)
from app.web.arrow import Compression, batches_response
from app.web.blueprint import Blueprint
from app.web.bodies import receive_command, receive_frame
from app.web.state import current_container, request_context
from infra.database.paging import Page, PageRequest
from tenancy.actions import Action

blp = Blueprint("training-datasets", __name__, description="Training datasets and their files")
_DATASET = "/projects/<project>/training-datasets/<name>/versions/<int:version>"
_CHUNK = 1024 * 1024


@blp.route("/projects/<project>/training-datasets")
class TrainingDatasets(MethodView):
    @blp.operation(action=Action.TRAINING_DATASET_READ, query=NamedPageQuery, returns=TrainingDatasetPageSchema)
    def get(self, query: tuple[PageRequest, str | None], project: str) -> Page[TrainingDatasetInfo]:
        page, name = query
        return current_container().training_datasets.list_training_datasets(request_context(), project, page, name)

    @blp.operation(
        action=Action.TRAINING_DATASET_CREATE,
        body=TrainingDatasetCreateSchema,
        returns=TrainingDatasetSchema,
        status=201,
        idempotent=True,
        takes_frame=True,
    )
    def post(self, project: str) -> TrainingDatasetInfo:
        command, frame = receive_command(TrainingDatasetCreateSchema())
        return current_container().training_datasets.create(request_context(), project, command, frame)


@blp.route(_DATASET)
class TrainingDataset(MethodView):
    @blp.operation(action=Action.TRAINING_DATASET_READ, returns=TrainingDatasetSchema)
    def get(self, project: str, name: str, version: int) -> TrainingDatasetInfo:
        return current_container().training_datasets.get(request_context(), project, name, version)

    @blp.operation(action=Action.TRAINING_DATASET_DELETE, status=204)
    def delete(self, project: str, name: str, version: int) -> None:
        current_container().training_datasets.delete(request_context(), project, name, version)


@blp.route(f"{_DATASET}/manifest")
class TrainingDatasetManifest(MethodView):
    @blp.operation(action=Action.TRAINING_DATASET_READ, returns=ManifestSchema)
    def get(self, project: str, name: str, version: int) -> Manifest:
        return current_container().training_datasets.get_manifest(request_context(), project, name, version)


@blp.route(f"{_DATASET}/rows")
class TrainingDatasetRows(MethodView):
    @blp.operation(action=Action.TRAINING_DATASET_READ_ROWS, query=TrainingRowsQuery, answers_rows=True)
    def get(self, query: tuple[ReadRows, Compression], project: str, name: str, version: int) -> Response:
        rows, compression = query
        schema, batches = current_container().training_datasets.read(request_context(), project, name, version, rows)
        return batches_response(schema, batches, compression)

    @blp.operation(
        action=Action.TRAINING_DATASET_CREATE,
        query=TrainingInsertQuery,
        returns=TrainingDatasetSchema,
        idempotent=True,
        takes_frame=True,
    )
    def post(self, query: dict[str, InsertMode], project: str, name: str, version: int) -> TrainingDatasetInfo:
        datasets, frame = current_container().training_datasets, receive_frame()
        return datasets.insert(request_context(), project, name, version, query["mode"], frame)


@blp.route(f"{_DATASET}/recreate")
class TrainingDatasetRecreation(MethodView):
    @blp.operation(
        action=Action.TRAINING_DATASET_CREATE,
        body=RecreateSchema,
        returns=RecreatedSchema,
        status=201,
        idempotent=True,
    )
    def post(self, command: RecreateTrainingDataset, project: str, name: str, version: int) -> RecreatedInfo:
        return current_container().training_datasets.recreate(request_context(), project, name, version, command)


@blp.route(f"{_DATASET}/files/<path:path>")
class TrainingDatasetFile(MethodView):
    @blp.operation(action=Action.TRAINING_DATASET_READ_ROWS, answers_rows=True)
    def get(self, project: str, name: str, version: int, path: str) -> Response:
        datasets = current_container().training_datasets
        file = datasets.open_file(request_context(), project, name, version, path)
        return Response(_pieces(file), content_type="application/octet-stream")


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with closing(file):
        while piece := file.read(_CHUNK):
            yield piece
