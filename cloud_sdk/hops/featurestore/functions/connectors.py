"""Databases and buckets of others: how to reach them, and feature groups that are read there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, List, Optional, Tuple, Union

from hops.featurestore.default import default_connection
from hops.featurestore.metadata import FeatureGroup, StorageConnector


def get_storage_connectors(featurestore: Optional[str] = None) -> List[Tuple[str, str]]:
    """(name, kind) of each: those that are built in, then by name."""
    return default_connection().get_storage_connectors(featurestore)


def get_storage_connector(storage_connector_name: str, featurestore: Optional[str] = None) -> StorageConnector:
    """Raises ConnectorNotFoundError. The secret itself is never answered, its reference to those who may change it."""
    return default_connection().get_storage_connector(storage_connector_name, featurestore)


def create_jdbc_connector(
    name: str, *, connection_string: Optional[str] = None, arguments: Optional[str] = None, engine: Optional[str] = None,
    host: Optional[str] = None, port: Optional[int] = None, database: Optional[str] = None, user: Optional[str] = None,
    tls_mode: Optional[str] = None, path: Optional[str] = None, secret: Optional[str] = None,
    secret_value: Optional[str] = None, description: str = "", featurestore: Optional[str] = None,
) -> StorageConnector:  # fmt: skip
    """A connector to a database; for data owners.

    - `engine`: "postgresql", "redshift", "mysql", "mariadb" (with `host`, `port`, `database`, `user`) or "sqlite" (with `path`).
    - `connection_string` with `arguments`: the original clients' `jdbc:…` and "user=…", in place of these fields.
    - `secret`: where the password is, such as "aws-sm:oasthouse/football/sales#password"; a password itself is refused.
    - `secret_value`: the password itself, where the gateway's operator lets it keep secrets.
    - `tls_mode`: "verify-full" (the default), "require" or "disable".

    Raises ConnectorExistsError, PlainPasswordError, InvalidInputError.
    """
    return default_connection().create_jdbc_connector(
        name, connection_string=connection_string, arguments=arguments, engine=engine, host=host, port=port,
        database=database, user=user, tls_mode=tls_mode, path=path, secret=secret, secret_value=secret_value,
        description=description, featurestore=featurestore,
    )  # fmt: skip


def create_redshift_connector(
    name: str, *, host: Optional[str] = None, port: Optional[int] = None, database: Optional[str] = None,
    user: Optional[str] = None, tls_mode: Optional[str] = None, connection_string: Optional[str] = None,
    arguments: Optional[str] = None, secret: Optional[str] = None,
    secret_value: Optional[str] = None, description: str = "", featurestore: Optional[str] = None,
) -> StorageConnector:  # fmt: skip
    """A connector to Amazon Redshift; for data owners. The arguments are those of `create_jdbc_connector`."""
    return default_connection().create_redshift_connector(
        name, host=host, port=port, database=database, user=user, tls_mode=tls_mode,
        connection_string=connection_string, arguments=arguments, secret=secret, secret_value=secret_value,
        description=description, featurestore=featurestore,
    )  # fmt: skip


def create_s3_connector(
    name: str, bucket: str, *, prefix: Optional[str] = None, region: Optional[str] = None,
    endpoint_url: Optional[str] = None, secret: Optional[str] = None, secret_value: Optional[str] = None,
    role_arn: Optional[str] = None, description: str = "", featurestore: Optional[str] = None,
) -> StorageConnector:  # fmt: skip
    """A connector to a bucket, or to what lies below `prefix` in it; for data owners.

    - `secret`: where the keys are, such as "aws-sm:oasthouse/football/bucket", a JSON object with access_key_id and
      secret_access_key; keys themselves are refused.
    - `secret_value`: such an object itself, as text, where the gateway's operator lets it keep secrets.
    - `role_arn`: in place of keys, a role that the gateway assumes; the answer's `external_id` belongs into its trust policy.
    - `endpoint_url`: "https://…" of another store that speaks S3.

    Raises ConnectorExistsError, PlainPasswordError, InvalidInputError.
    """
    return default_connection().create_s3_connector(
        name, bucket, prefix=prefix, region=region, endpoint_url=endpoint_url, secret=secret, secret_value=secret_value,
        role_arn=role_arn, description=description, featurestore=featurestore,
    )  # fmt: skip


def create_hopsfs_connector(
    name: str, dataset_name: Optional[str] = None, *, description: str = "", featurestore: Optional[str] = None
) -> StorageConnector:
    """A connector to a folder of the project's own in the warehouse; for data owners.

    `dataset_name` says which folder, and is the connector's name if left out: connectors of one name share theirs.
    """
    return default_connection().create_hopsfs_connector(
        name, dataset_name, description=description, featurestore=featurestore
    )


def update_storage_connector(
    storage_connector_name: str, *, options: Optional[Mapping[str, Any]] = None, secret: Optional[str] = None,
    secret_value: Optional[str] = None, without_secret: bool = False,
    description: Optional[str] = None, featurestore: Optional[str] = None,
) -> StorageConnector:  # fmt: skip
    """Change what is given; for data owners. `options` are all of them, as `get_storage_connector` shows them.

    New options of a connector with a secret need `secret` named or `secret_value` given again, or `without_secret=True`.
    Raises ConnectorNotFoundError, ConnectorBuiltInError for one that is built in, InvalidInputError.
    """
    return default_connection().update_storage_connector(
        storage_connector_name, options=options, secret=secret, secret_value=secret_value,
        without_secret=without_secret, description=description, featurestore=featurestore,
    )  # fmt: skip


def delete_storage_connector(storage_connector_name: str, featurestore: Optional[str] = None) -> None:
    """Raises ConnectorInUseError while feature groups read through it, ConnectorBuiltInError for one that is built in."""
    default_connection().delete_storage_connector(storage_connector_name, featurestore)


def test_storage_connector(storage_connector_name: str, featurestore: Optional[str] = None) -> float:  # noqa: PT028
    """Milliseconds that connecting, logging in and reading one value take, or listing one file.

    Raises SourceUnreachableError, SourceLoginRefusedError or, of `source_errors.py`, BucketNotFoundError,
    BucketAccessRefusedError, RoleNotGuardedError, and what is wrong with the secret.
    """
    return default_connection().test_storage_connector(storage_connector_name, featurestore)


def create_on_demand_featuregroup(
    sql_query: str, featuregroup: str, jdbc_connector_name: str, featurestore: Optional[str] = None, description: str = "",
    featuregroup_version: int = 1, *, primary_key: Union[str, Sequence[str], None] = None, event_time: Optional[str] = None,
    feature_descriptions: Optional[Mapping[str, str]] = None, tags: Optional[Mapping[str, str]] = None,
) -> FeatureGroup:  # fmt: skip
    """A feature group whose rows stay in the database: `sql_query`, one query, is run there whenever it is read.

    Its features are the columns of the query. `primary_key` is the first of them if left out.
    Raises FeatureGroupExistsError, ConnectorNotFoundError, SourceQueryRefusedError.
    """
    return default_connection().create_on_demand_featuregroup(
        sql_query, featuregroup, jdbc_connector_name, featurestore, description, featuregroup_version,
        primary_key=primary_key, event_time=event_time, feature_descriptions=feature_descriptions, tags=tags,
    )  # fmt: skip
