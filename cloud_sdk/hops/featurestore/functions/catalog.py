"""What there is."""

from __future__ import annotations

from typing import List, Optional

from hops.featurestore.default import default_connection
from hops.featurestore.functions.legacy import refuse_online
from hops.featurestore.metadata import FeatureStoreMetadata


def get_featurestore_metadata(featurestore: Optional[str] = None, update_cache: bool = False) -> FeatureStoreMetadata:
    """All feature groups and training datasets of a feature store, by `name_version`."""
    return default_connection().get_featurestore_metadata(featurestore, update_cache=update_cache)


def get_featuregroups(featurestore: Optional[str] = None, online: bool = False) -> List[str]:
    """As `name_version`, by name, then version."""
    refuse_online(online)
    return default_connection().get_featuregroups(featurestore)


def get_features_list(featurestore: Optional[str] = None, online: bool = False) -> List[str]:
    """The names of all features of all feature groups; a name that occurs twice is there twice."""
    refuse_online(online)
    return default_connection().get_features_list(featurestore)


def get_training_datasets(featurestore: Optional[str] = None) -> List[str]:
    """As `name_version`, by name, then version."""
    return default_connection().get_training_datasets(featurestore)


def get_latest_featuregroup_version(featuregroup: str, featurestore: Optional[str] = None) -> int:
    """0 if there is none."""
    return default_connection().get_latest_featuregroup_version(featuregroup, featurestore)


def get_latest_training_dataset_version(training_dataset: str, featurestore: Optional[str] = None) -> int:
    """0 if there is none."""
    return default_connection().get_latest_training_dataset_version(training_dataset, featurestore)


def get_featuregroup_features_list(
    featuregroup: str, version: Optional[int] = None, featurestore: Optional[str] = None
) -> List[str]:
    """Names in order; of the latest version if none is given. Raises FeatureGroupNotFoundError."""
    return default_connection().get_featuregroup_features_list(featuregroup, version, featurestore)


def get_training_dataset_features_list(
    training_dataset: str, version: Optional[int] = None, featurestore: Optional[str] = None
) -> List[str]:
    """Names in order; of the latest version if none is given. Raises TrainingDatasetNotFoundError."""
    return default_connection().get_training_dataset_features_list(training_dataset, version, featurestore)
