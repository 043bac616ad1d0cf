"""Making, reading and deleting training datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Dict, Optional, Union

from hops.featurestore.containers import resolve_container
from hops.featurestore.download import fetch
from hops.featurestore.errors import NotSupportedError
from hops.featurestore.expressions import feature_expression
from hops.featurestore.metadata import TrainingDataset
from hops.featurestore.session import Operations, url_path
from hops.featurestore.transport import Request
from hops.featurestore.upload import frame_request, new_idempotency_key

DATA_FORMATS = ("parquet", "csv", "tsv", "tfrecords", "avro", "orc", "npy", "hdf5")
_INSTEAD = {
    "petastorm": "petastorm no longer works with current versions of pyarrow: write parquet, which its readers read.",
    "image": "keep images where they are, and write parquet with a column of their addresses.",
}


class TrainingDatasetOperations(Operations):
    def create_training_dataset(
        self,
        training_dataset: str,
        features: Union[str, Sequence[str], None] = None,
        featurestore: Optional[str] = None,
        featuregroups_version_dict: Optional[Mapping[str, int]] = None,
        join_key: Union[str, Sequence[str], None] = None,
        *,
        description: str = "",
        data_format: str = "parquet",
        training_dataset_version: int = 1,
        overwrite: bool = False,
        jobs: Optional[Sequence[str]] = None,
        df: Any = None,
    ) -> TrainingDataset:
        """From `features`, which the gateway joins, or from the rows of `df`; exactly one of them."""
        command = _command(training_dataset, training_dataset_version, description, data_format, overwrite, jobs)
        path = url_path("projects", self._session.project, "training-datasets")
        if df is not None:
            path = url_path("projects", self._session.owner_of(featurestore), "training-datasets")
            with frame_request(path, df, command=command) as request:
                return TrainingDataset.from_json(self._session.transport.json(request))
        command["query"] = feature_expression(
            features or (),
            featurestore=featurestore,
            featuregroups_version_dict=featuregroups_version_dict,
            join_key=join_key,
        )
        headers = {"Idempotency-Key": new_idempotency_key()}
        return TrainingDataset.from_json(self._session.send("POST", path, command, headers=headers))

    def get_training_dataset(
        self,
        training_dataset: str,
        featurestore: Optional[str] = None,
        training_dataset_version: int = 1,
        dataframe_type: str = "pandas",
        *,
        as_: Optional[str] = None,
    ) -> Any:
        container = resolve_container(dataframe_type, as_)
        path = self._dataset_path(training_dataset, training_dataset_version, featurestore, "rows")
        return fetch(self._session.transport, Request("GET", path), container)

    def get_training_dataset_path(
        self, training_dataset: str, featurestore: Optional[str] = None, training_dataset_version: int = 1
    ) -> Optional[str]:
        answer = self._session.get(self._dataset_path(training_dataset, training_dataset_version, featurestore))
        return TrainingDataset.from_json(answer).path

    def get_training_dataset_manifest(
        self, training_dataset: str, featurestore: Optional[str] = None, training_dataset_version: int = 1
    ) -> Dict[str, Any]:
        path = self._dataset_path(training_dataset, training_dataset_version, featurestore, "manifest")
        manifest: Dict[str, Any] = self._session.get(path)
        return manifest

    def delete_training_dataset(
        self, training_dataset: str, training_dataset_version: int = 1, featurestore: Optional[str] = None
    ) -> None:
        self._session.send("DELETE", self._dataset_path(training_dataset, training_dataset_version, featurestore))

    def _dataset_path(self, name: str, version: int, featurestore: Optional[str], *rest: str) -> str:
        owner = self._session.owner_of(featurestore)
        return url_path("projects", owner, "training-datasets", name, "versions", version, *rest)


def _command(
    name: str, version: int, description: str, data_format: str, overwrite: bool, jobs: Optional[Sequence[str]]
) -> Dict[str, Any]:
    if data_format not in DATA_FORMATS:
        hint = _INSTEAD.get(data_format)
        raise NotSupportedError(
            f"There is no format {data_format!r}.", hint=hint, candidates=() if hint else DATA_FORMATS
        )
    command: Dict[str, Any] = {"name": name, "version": version, "data_format": data_format}
    optional = {"description": description, "overwrite": overwrite, "jobs": list(jobs or ())}
    command.update({key: value for key, value in optional.items() if value})
    return command
