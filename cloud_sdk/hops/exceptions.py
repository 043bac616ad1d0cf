"""Where the original client kept its exceptions: `from hops.exceptions import RestAPIError` keeps working."""

from __future__ import annotations

from hops.featurestore.errors import (
    CannotInsertIntoOnDemandFeatureGroup,
    CouldNotConvertDataframe,
    FeaturegroupNotFound,
    FeatureNameCollisionError,
    FeatureNotFound,
    FeaturestoreNotFound,
    InferJoinKeyError,
    RestAPIError,
    StorageConnectorNotFound,
    TrainingDatasetNotFound,
    UnknownSecretStorageError,
    UnkownSecretStorageError,
)

__all__ = [
    "CannotInsertIntoOnDemandFeatureGroup",
    "CouldNotConvertDataframe",
    "FeatureNameCollisionError",
    "FeatureNotFound",
    "FeaturegroupNotFound",
    "FeaturestoreNotFound",
    "InferJoinKeyError",
    "RestAPIError",
    "StorageConnectorNotFound",
    "TrainingDatasetNotFound",
    "UnknownSecretStorageError",
    "UnkownSecretStorageError",
]
