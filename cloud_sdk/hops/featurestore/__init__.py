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
    doctor,
    get_project_featurestores,
    project_featurestore,
    project_training_datasets_sink,
    set_progress,
)
from hops.featurestore.functions.connectors import (
    create_hopsfs_connector,
    create_jdbc_connector,
    create_on_demand_featuregroup,
    create_redshift_connector,
    create_s3_connector,
    delete_storage_connector,
    get_storage_connector,
    get_storage_connectors,
    test_storage_connector,
    update_storage_connector,
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
    get_featuregroup_credentials,
    get_featuregroup_partitions,
    get_metadata,
    insert_into_featuregroup,
    remove_metadata,
    update_featuregroup_metadata,
)
from hops.featurestore.functions.features import explain, get_feature, get_features, get_features_by_path
from hops.featurestore.functions.history import append_features, changes_between, get_commits
from hops.featurestore.functions.imports import import_featuregroup_redshift, import_featuregroup_s3
from hops.featurestore.functions.jobs import (
    cancel_run,
    create_job,
    delete_job,
    get_job,
    get_jobs,
    get_run,
    get_run_log,
    get_runs,
    retry_run,
    run_job,
    wait_for_run,
)
from hops.featurestore.functions.pictures import (
    visualize_featuregroup_clusters,
    visualize_featuregroup_correlations,
    visualize_featuregroup_descriptive_stats,
    visualize_featuregroup_distributions,
    visualize_training_dataset_clusters,
    visualize_training_dataset_correlations,
    visualize_training_dataset_descriptive_stats,
    visualize_training_dataset_distributions,
)
from hops.featurestore.functions.sql import explain_sql, sql
from hops.featurestore.functions.statistics import (
    compare_statistics,
    get_featuregroup_statistics,
    get_statistics_states,
    get_training_dataset_statistics,
    update_featuregroup_stats,
    update_training_dataset_stats,
)
from hops.featurestore.functions.training_datasets import (
    create_training_dataset,
    delete_training_dataset,
    get_dataframe_tf_record_schema,
    get_training_dataset,
    get_training_dataset_manifest,
    get_training_dataset_path,
    get_training_dataset_tf_record_schema,
    insert_into_training_dataset,
    iter_training_dataset,
    recreate_training_dataset,
)
from hops.featurestore.tf_records import RecordFeature
from hops.featurestore.training_batches import TrainingBatches

__all__ = [
    "Connection",
    "FeatureStoreError",
    "Join",
    "RecordFeature",
    "TrainingBatches",
    "ValidationFailedError",
    "add_metadata",
    "append_features",
    "cancel_run",
    "changes_between",
    "compare_statistics",
    "connect",
    "create_featuregroup",
    "create_hopsfs_connector",
    "create_jdbc_connector",
    "create_job",
    "create_on_demand_featuregroup",
    "create_redshift_connector",
    "create_s3_connector",
    "create_training_dataset",
    "delete_featuregroup",
    "delete_job",
    "delete_storage_connector",
    "delete_training_dataset",
    "doctor",
    "explain",
    "explain_sql",
    "get_commits",
    "get_dataframe_tf_record_schema",
    "get_expectations",
    "get_feature",
    "get_featuregroup",
    "get_featuregroup_credentials",
    "get_featuregroup_features_list",
    "get_featuregroup_partitions",
    "get_featuregroup_statistics",
    "get_featuregroups",
    "get_features",
    "get_features_by_path",
    "get_features_list",
    "get_featurestore_metadata",
    "get_job",
    "get_jobs",
    "get_latest_featuregroup_version",
    "get_latest_training_dataset_version",
    "get_metadata",
    "get_project_featurestores",
    "get_run",
    "get_run_log",
    "get_runs",
    "get_statistics_states",
    "get_storage_connector",
    "get_storage_connectors",
    "get_training_dataset",
    "get_training_dataset_features_list",
    "get_training_dataset_manifest",
    "get_training_dataset_path",
    "get_training_dataset_statistics",
    "get_training_dataset_tf_record_schema",
    "get_training_datasets",
    "get_validations",
    "import_featuregroup_redshift",
    "import_featuregroup_s3",
    "insert_into_featuregroup",
    "insert_into_training_dataset",
    "iter_training_dataset",
    "project_featurestore",
    "project_training_datasets_sink",
    "recreate_training_dataset",
    "remove_expectations",
    "remove_metadata",
    "retry_run",
    "run_job",
    "set_expectations",
    "set_progress",
    "sql",
    "test_storage_connector",
    "update_featuregroup_metadata",
    "update_featuregroup_stats",
    "update_storage_connector",
    "update_training_dataset_stats",
    "validate_featuregroup",
    "visualize_featuregroup_clusters",
    "visualize_featuregroup_correlations",
    "visualize_featuregroup_descriptive_stats",
    "visualize_featuregroup_distributions",
    "visualize_training_dataset_clusters",
    "visualize_training_dataset_correlations",
    "visualize_training_dataset_descriptive_stats",
    "visualize_training_dataset_distributions",
    "wait_for_run",
]
