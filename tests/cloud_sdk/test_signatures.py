# ruff: noqa: E501 - tables
"""The original clients' argument lists, as they were published; ours begin with them."""

import ast
import inspect
from pathlib import Path

import pytest

import hops
import hops.featurestore as fs
from hops import exceptions
from hops.featurestore import connection as connection_module
from hops.featurestore.expressions import Join, feature_expression

STATS = (
    "descriptive_statistics=True, feature_correlation=True, feature_histograms=True, cluster_analysis=True, "
    "stat_columns=None, num_bins=20, corr_method='pearson', num_clusters=5"
)
ORIGINAL = {
    "connect": "host, project_name, port=443, region_name='default', secrets_store='parameterstore', hostname_verification=True, "
    "trust_store_path=None, use_metadata_cache=False, cert_folder='', api_key_file=None",
    "project_featurestore": "",
    "project_training_datasets_sink": "",
    "get_project_featurestores": "",
    "get_featuregroup": "featuregroup, featurestore=None, featuregroup_version=1, dataframe_type='spark', jdbc_args={}, online=False",
    "create_on_demand_featuregroup": "sql_query, featuregroup, jdbc_connector_name, featurestore=None, description='', "
    "featuregroup_version=1",
    "get_storage_connectors": "featurestore=None",
    "get_storage_connector": "storage_connector_name, featurestore=None",
    "get_feature": "feature, featurestore=None, featuregroup=None, featuregroup_version=1, dataframe_type='spark', jdbc_args={}, "
    "online=False",
    "get_features": "features, featurestore=None, featuregroups_version_dict={}, join_key=None, dataframe_type='spark', jdbc_args={}, "
    "online=False",
    "sql": "query, featurestore=None, dataframe_type='spark', online=False",
    "create_featuregroup": "df, featuregroup, primary_key=None, description='', featurestore=None, featuregroup_version=1, jobs=[], "
    f"{STATS}, partition_by=[], online=False, online_types=None, offline=True",
    "insert_into_featuregroup": f"df, featuregroup, featurestore=None, featuregroup_version=1, mode='append', {STATS}, online=False, "
    "offline=True",
    "get_featurestore_metadata": "featurestore=None, update_cache=False",
    "get_featuregroups": "featurestore=None, online=False",
    "get_features_list": "featurestore=None, online=False",
    "get_training_datasets": "featurestore=None",
    "get_featuregroup_partitions": "featuregroup, featurestore=None, featuregroup_version=1, dataframe_type='spark'",
    "get_latest_featuregroup_version": "featuregroup, featurestore=None",
    "get_latest_training_dataset_version": "training_dataset, featurestore=None",
    "get_featuregroup_features_list": "featuregroup, version=None, featurestore=None",
    "get_training_dataset_features_list": "training_dataset, version=None, featurestore=None",
    "get_training_dataset": "training_dataset, featurestore=None, training_dataset_version=1, dataframe_type='spark'",
    "insert_into_training_dataset": f"df, training_dataset, featurestore=None, training_dataset_version=1, {STATS}, "
    "write_mode='overwrite'",
    "get_training_dataset_tf_record_schema": "training_dataset, training_dataset_version=1, featurestore=None",
    "get_dataframe_tf_record_schema": "spark_df, fixed=True",
    "get_training_dataset_path": "training_dataset, featurestore=None, training_dataset_version=1",
    "add_metadata": "featuregroup_name, metadata, featuregroup_version=1, featurestore=None",
    "get_metadata": "featuregroup_name, keys=[], featuregroup_version=1, featurestore=None",
    "remove_metadata": "featuregroup_name, keys, featuregroup_version=1, featurestore=None",
    "update_featuregroup_stats": f"featuregroup, featuregroup_version=1, featurestore=None, {STATS}",
    "update_training_dataset_stats": f"training_dataset, training_dataset_version=1, featurestore=None, {STATS}",
    "get_featuregroup_statistics": "featuregroup_name, featurestore=None, featuregroup_version=1",
    "get_training_dataset_statistics": "training_dataset_name, featurestore=None, training_dataset_version=1",
    **{
        f"visualize_{kind}_{picture}": f"{kind}_name, featurestore=None, {kind}_version=1{arguments}"
        for kind in ("featuregroup", "training_dataset")
        for picture, arguments in {
            "distributions": ", figsize=None, color='lightblue', log=False, align='center', plot=True",
            "correlations": ", figsize=(16,12), cmap='coolwarm', annot=True, fmt='.2f', linewidths=.05, plot=True",
            "clusters": ", figsize=(16,12), plot=True",
            "descriptive_stats": "",
        }.items()
    },
    "import_featuregroup_s3": "storage_connector, featuregroup, path=None, primary_key=[], description='', featurestore=None, "
    f"featuregroup_version=1, jobs=[], {STATS}, partition_by=[], data_format='parquet', online=False, online_types=None, offline=True, "
    "am_cores=1, am_memory=2048, executor_cores=1, executor_memory=4096, max_executors=2",
    "import_featuregroup_redshift": "storage_connector, query, featuregroup, primary_key=[], description='', featurestore=None, "
    f"featuregroup_version=1, jobs=[], {STATS}, partition_by=[], online=False, online_types=None, offline=True, am_cores=1, "
    "am_memory=2048, executor_cores=1, executor_memory=4096, max_executors=2",
    # cloud client 1.1.0.0
    "create_training_dataset": "training_dataset, features=None, sql_query=None, featurestore=None, featuregroups_version_dict={}, "
    "join_key=None, description='', data_format='tfrecords', training_dataset_version=1, overwrite=False, jobs=[], online=False, "
    "descriptive_statistics=True, feature_correlation=True, feature_histograms=True, cluster_analysis=True, stat_columns=[], "
    "num_bins=20, correlation_method='pearson', num_clusters=5, fixed=True, sink=None, path=None, am_cores=1, am_memory=2048, "
    "executor_cores=1, executor_memory=4096, max_executors=2",
}
OURS = {
    "doctor", "append_features", "changes_between", "get_commits",
    "explain", "update_featuregroup_metadata", "delete_featuregroup", "delete_training_dataset", "get_training_dataset_manifest",
    "set_progress", "explain_sql", "iter_training_dataset", "recreate_training_dataset",
    "create_jdbc_connector", "create_s3_connector", "create_redshift_connector", "create_hopsfs_connector",
    "update_storage_connector", "delete_storage_connector", "test_storage_connector",
    "create_job", "get_job", "get_jobs", "delete_job", "run_job", "get_run", "get_runs", "get_run_log", "cancel_run", "retry_run",
    "wait_for_run",
    "get_statistics_states", "compare_statistics",
    "get_featuregroup_credentials", "get_features_by_path",
    "set_expectations", "get_expectations", "remove_expectations", "get_validations", "validate_featuregroup",
}  # fmt: skip


def parameters_of(text):
    arguments = ast.parse(f"def f({text}): ...").body[0].args
    required = len(arguments.args) - len(arguments.defaults)
    defaults = [inspect.Parameter.empty] * required + [ast.literal_eval(each) for each in arguments.defaults]
    return [
        (argument.arg, _ours_for(argument.arg, default))
        for argument, default in zip(arguments.args, defaults, strict=True)
    ]


def _ours_for(name, default):
    if name == "dataframe_type":
        return "default"
    if name in {"host", "project_name"}:
        return None
    return None if default in ([], {}) else default


@pytest.mark.parametrize("name", sorted(ORIGINAL))
def test_arguments_begin_with_the_originals(name):
    ours = list(inspect.signature(getattr(fs, name)).parameters.values())
    originals = parameters_of(ORIGINAL[name])
    assert [(each.name, each.default) for each in ours[: len(originals)]] == originals
    assert all(each.kind is inspect.Parameter.KEYWORD_ONLY for each in ours[len(originals) :])


def test_the_table_names_every_public_function():
    functions = {name for name in fs.__all__ if inspect.isfunction(getattr(fs, name))}
    assert functions == ORIGINAL.keys() | OURS


def test_all_is_what_a_star_import_gives():
    assert sorted(fs.__all__) == fs.__all__
    assert all(hasattr(fs, name) for name in fs.__all__)


@pytest.mark.parametrize("name", sorted((ORIGINAL.keys() | OURS) - {"connect", "doctor"}))
def test_connection_has_each_function_with_the_same_names_and_defaults(name):
    function = inspect.signature(getattr(fs, name)).parameters
    method = dict(inspect.signature(getattr(connection_module.Connection, name)).parameters)
    for extra in (
        "self",
        "df",
        "data_format",
    ):  # df: a shape of its own; data_format: has an untouched default of its own
        if name == "create_training_dataset" or extra == "self":
            method.pop(extra, None)
    if name.startswith("import_") or name in {"create_featuregroup", "create_training_dataset"}:
        method.pop("statistics")  # there eight arguments of the original
    if method.pop("how", None):
        rest = {key: each.default for key, each in function.items() if key not in (*method, "jdbc_args", "online")}
        expression = inspect.signature(feature_expression).parameters
        assert rest == {key: expression[key].default for key in rest}, "what goes on to the expression"
    assert {key: each.default for key, each in method.items()} == {key: function[key].default for key in method}


def test_joins_are_said_with_what_is_exported():
    assert "Join" in fs.__all__
    assert fs.Join is Join


def test_create_training_dataset_presents_itself():
    assert fs.create_training_dataset.__name__ == "create_training_dataset"
    assert "(features, training_dataset" in fs.create_training_dataset.__doc__


def test_exceptions_of_the_original_clients_are_where_they_were():
    assert issubclass(exceptions.FeaturegroupNotFound, exceptions.RestAPIError)
    assert all(issubclass(getattr(exceptions, name), fs.FeatureStoreError) for name in exceptions.__all__)


@pytest.mark.parametrize("path", sorted(Path(hops.__file__).parent.rglob("*.py")), ids=lambda path: path.stem)
def test_every_module_is_python_3_9(path):
    ast.parse(path.read_text(), feature_version=(3, 9))
    assert "from __future__ import annotations" in path.read_text() or path.parent.name == "functions"
