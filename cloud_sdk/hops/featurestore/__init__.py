"""The feature store from a notebook.

    import hops.featurestore as fs

    fs.connect("gateway.example.com", "football", secrets_store="secretsmanager")
    fs.get_features(["average_attendance", "average_player_age"])

Names and argument lists are those of the original clients; what is new comes after them, by keyword.
"""

from __future__ import annotations

from hops.featurestore.connection import Connection
from hops.featurestore.errors import FeatureStoreError
from hops.featurestore.functions.catalog import (
    get_featuregroup_features_list,
    get_featuregroups,
    get_features_list,
    get_featurestore_metadata,
    get_latest_featuregroup_version,
    get_latest_training_dataset_version,
    get_training_dataset_features_list,
    get_training_datasets,
)
from hops.featurestore.functions.connecting import (
    connect,
    get_project_featurestores,
    project_featurestore,
    project_training_datasets_sink,
)
from hops.featurestore.functions.feature_groups import (
    add_metadata,
    create_featuregroup,
    delete_featuregroup,
    get_featuregroup,
    get_featuregroup_partitions,
    get_metadata,
    insert_into_featuregroup,
    remove_metadata,
    update_featuregroup_metadata,
)
from hops.featurestore.functions.features import explain, get_feature, get_features
from hops.featurestore.functions.training_datasets import (
    create_training_dataset,
    delete_training_dataset,
    get_training_dataset,
    get_training_dataset_manifest,
    get_training_dataset_path,
)

__all__ = [
    "Connection",
    "FeatureStoreError",
    "add_metadata",
    "connect",
    "create_featuregroup",
    "create_training_dataset",
    "delete_featuregroup",
    "delete_training_dataset",
    "explain",
    "get_feature",
    "get_featuregroup",
    "get_featuregroup_features_list",
    "get_featuregroup_partitions",
    "get_featuregroups",
    "get_features",
    "get_features_list",
    "get_featurestore_metadata",
    "get_latest_featuregroup_version",
    "get_latest_training_dataset_version",
    "get_metadata",
    "get_project_featurestores",
    "get_training_dataset",
    "get_training_dataset_features_list",
    "get_training_dataset_manifest",
    "get_training_dataset_path",
    "get_training_datasets",
    "insert_into_featuregroup",
    "project_featurestore",
    "project_training_datasets_sink",
    "remove_metadata",
    "update_featuregroup_metadata",
]
