"""Databases of others: how to reach them, and feature groups that are read there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import List, Optional, Tuple, Union

from hops.featurestore.default import default_connection
from hops.featurestore.metadata import FeatureGroup, StorageConnector


def get_storage_connectors(featurestore: Optional[str] = None) -> List[Tuple[str, str]]:
    """(name, kind) of each, by name."""
    return default_connection().get_storage_connectors(featurestore)


def get_storage_connector(storage_connector_name: str, featurestore: Optional[str] = None) -> StorageConnector:
    """Raises ConnectorNotFoundError. The secret itself is never answered, its reference to those who may change it."""
    return default_connection().get_storage_connector(storage_connector_name, featurestore)


def create_jdbc_connector(
    name: str, *, connection_string: Optional[str] = None, arguments: Optional[str] = None, engine: Optional[str] = None,
    host: Optional[str] = None, port: Optional[int] = None, database: Optional[str] = None, user: Optional[str] = None,
    tls_mode: Optional[str] = None, path: Optional[str] = None, secret: Optional[str] = None, description: str = "",
    featurestore: Optional[str] = None,
) -> StorageConnector:  # fmt: skip
    """A connector to a database; for data owners.

    - `engine`: "postgresql", "redshift", "mysql", "mariadb" (with `host`, `port`, `database`, `user`) or "sqlite" (with `path`).
    - `connection_string` with `arguments`: the original clients' `jdbc:…` and "user=…", in place of these fields.
    - `secret`: where the password is, such as "aws-sm:oasthouse/football/sales#password"; a password itself is refused.
    - `tls_mode`: "verify-full" (the default), "require" or "disable".

    Raises ConnectorExistsError, PlainPasswordError, InvalidInputError.
    """
    return default_connection().create_jdbc_connector(
        name, connection_string=connection_string, arguments=arguments, engine=engine, host=host, port=port,
        database=database, user=user, tls_mode=tls_mode, path=path, secret=secret, description=description,
        featurestore=featurestore,
    )  # fmt: skip


def delete_storage_connector(storage_connector_name: str, featurestore: Optional[str] = None) -> None:
    """Raises ConnectorInUseError while feature groups read through it."""
    default_connection().delete_storage_connector(storage_connector_name, featurestore)


def test_storage_connector(storage_connector_name: str, featurestore: Optional[str] = None) -> float:  # noqa: PT028
    """Milliseconds that connecting, logging in and reading one value take.

    Raises SourceUnreachableError or SourceLoginRefusedError, or what is wrong with the secret.
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
