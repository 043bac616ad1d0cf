"""Where the original client kept its exceptions: `from hops.exceptions import RestAPIError` keeps working."""

from __future__ import annotations

from hops.featurestore.errors import (
    CouldNotConvertDataframe,
    FeaturegroupNotFound,
    FeatureNameCollisionError,
    FeatureNotFound,
    FeaturestoreNotFound,
    InferJoinKeyError,
    RestAPIError,
    TrainingDatasetNotFound,
    UnknownSecretStorageError,
    UnkownSecretStorageError,
)

__all__ = [
    "CouldNotConvertDataframe",
    "FeatureNameCollisionError",
    "FeatureNotFound",
    "FeaturegroupNotFound",
    "FeaturestoreNotFound",
    "InferJoinKeyError",
    "RestAPIError",
    "TrainingDatasetNotFound",
    "UnknownSecretStorageError",
    "UnkownSecretStorageError",
]
