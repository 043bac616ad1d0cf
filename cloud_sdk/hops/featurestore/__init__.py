"""The feature store from a notebook.

    import hops.featurestore as fs

    fs.connect("gateway.example.com", "football", secrets_store="secretsmanager")
    fs.get_features(["average_attendance", "average_player_age"])

Names and argument lists are those of the original clients; what is new comes after them, by keyword.
"""

from __future__ import annotations

from hops.featurestore.connection import Connection
from hops.featurestore.errors import FeatureStoreError, ValidationFailedError
from hops.featurestore.expressions import Join
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
    set_progress,
)
from hops.featurestore.functions.connectors import (
    create_jdbc_connector,
    create_on_demand_featuregroup,
    delete_storage_connector,
    get_storage_connector,
    get_storage_connectors,
    test_storage_connector,
)
from hops.featurestore.functions.expectations import (
    get_expectations,
    get_validations,
    remove_expectations,
    set_expectations,
    validate_featuregroup,
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
from hops.featurestore.functions.history import append_features, changes_between, get_commits
from hops.featurestore.functions.sql import explain_sql, sql
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
    "Join",
    "ValidationFailedError",
    "add_metadata",
    "append_features",
    "changes_between",
    "connect",
    "create_featuregroup",
    "create_jdbc_connector",
    "create_on_demand_featuregroup",
    "create_training_dataset",
    "delete_featuregroup",
    "delete_storage_connector",
    "delete_training_dataset",
    "explain",
    "explain_sql",
    "get_commits",
    "get_expectations",
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
    "get_storage_connector",
    "get_storage_connectors",
    "get_training_dataset",
    "get_training_dataset_features_list",
    "get_training_dataset_manifest",
    "get_training_dataset_path",
    "get_training_datasets",
    "get_validations",
    "insert_into_featuregroup",
    "project_featurestore",
    "project_training_datasets_sink",
    "remove_expectations",
    "remove_metadata",
    "set_expectations",
    "set_progress",
    "sql",
    "test_storage_connector",
    "update_featuregroup_metadata",
    "validate_featuregroup",
]
