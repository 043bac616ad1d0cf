"""Storage connectors of every kind, and feature groups whose rows stay in the databases behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Dict, List, Optional, Tuple, Union

from hops.featurestore.arguments import checked_name, checked_version
from hops.featurestore.errors import InvalidInputError
from hops.featurestore.metadata import FeatureGroup, StorageConnector, from_json
from hops.featurestore.session import Operations, url_path
from hops.featurestore.upload import new_idempotency_key


class ConnectorOperations(Operations):
    def get_storage_connectors(self, featurestore: Optional[str] = None) -> List[Tuple[str, str]]:
        listed = self._session.pages(self._connectors_path(featurestore))
        return [(each["name"], each["kind"]) for each in listed]

    def get_storage_connector(
        self, storage_connector_name: str, featurestore: Optional[str] = None
    ) -> StorageConnector:
        answer = self._session.get(self._connector_path(featurestore, storage_connector_name))
        return from_json(StorageConnector, answer)

    def create_jdbc_connector(
        self,
        name: str,
        *,
        connection_string: Optional[str] = None,
        arguments: Optional[str] = None,
        engine: Optional[str] = None,
        host: Optional[str] = None,
        port: Optional[int] = None,
        database: Optional[str] = None,
        user: Optional[str] = None,
        tls_mode: Optional[str] = None,
        path: Optional[str] = None,
        secret: Optional[str] = None,
        secret_value: Optional[str] = None,
        description: str = "",
        featurestore: Optional[str] = None,
    ) -> StorageConnector:
        given: Dict[str, Any] = {
            "connection_string": connection_string,
            "arguments": arguments,
            "engine": engine,
            "host": host,
            "port": port,
            "database": database,
            "user": user,
            "tls_mode": tls_mode,
            "path": path,
        }
        return self._create_connector(name, "JDBC", given, secret, description, featurestore, secret_value)

    def create_redshift_connector(
        self,
        name: str,
        *,
        host: Optional[str] = None,
        port: Optional[int] = None,
        database: Optional[str] = None,
        user: Optional[str] = None,
        tls_mode: Optional[str] = None,
        connection_string: Optional[str] = None,
        arguments: Optional[str] = None,
        secret: Optional[str] = None,
        secret_value: Optional[str] = None,
        description: str = "",
        featurestore: Optional[str] = None,
    ) -> StorageConnector:
        given: Dict[str, Any] = {
            "host": host,
            "port": port,
            "database": database,
            "user": user,
            "tls_mode": tls_mode,
            "connection_string": connection_string,
            "arguments": arguments,
        }
        return self._create_connector(name, "REDSHIFT", given, secret, description, featurestore, secret_value)

    def create_s3_connector(
        self,
        name: str,
        bucket: str,
        *,
        prefix: Optional[str] = None,
        region: Optional[str] = None,
        endpoint_url: Optional[str] = None,
        secret: Optional[str] = None,
        secret_value: Optional[str] = None,
        role_arn: Optional[str] = None,
        description: str = "",
        featurestore: Optional[str] = None,
    ) -> StorageConnector:
        given: Dict[str, Any] = {
            "bucket": bucket,
            "prefix": prefix,
            "region": region,
            "endpoint_url": endpoint_url,
            "role_arn": role_arn,
        }
        return self._create_connector(name, "S3", given, secret, description, featurestore, secret_value)

    def create_hopsfs_connector(
        self,
        name: str,
        dataset_name: Optional[str] = None,
        *,
        description: str = "",
        featurestore: Optional[str] = None,
    ) -> StorageConnector:
        given = {"dataset_name": name if dataset_name is None else dataset_name}
        return self._create_connector(name, "HOPSFS", given, None, description, featurestore)

    def update_storage_connector(
        self,
        storage_connector_name: str,
        *,
        options: Optional[Mapping[str, Any]] = None,
        secret: Optional[str] = None,
        secret_value: Optional[str] = None,
        without_secret: bool = False,
        description: Optional[str] = None,
        featurestore: Optional[str] = None,
    ) -> StorageConnector:
        if sum((without_secret, secret is not None, secret_value is not None)) > 1:
            raise InvalidInputError("Give one of secret=, secret_value= and without_secret=True, not both.")
        body: Dict[str, Any] = {} if options is None else {"options": dict(options)}
        if secret is not None or without_secret:
            body["secret"] = secret
        if secret_value is not None:
            body["secret_value"] = secret_value
        if description is not None:
            body["description"] = description
        answer = self._session.send("PATCH", self._connector_path(featurestore, storage_connector_name), body)
        return from_json(StorageConnector, answer)

    def delete_storage_connector(self, storage_connector_name: str, featurestore: Optional[str] = None) -> None:
        self._session.send("DELETE", self._connector_path(featurestore, storage_connector_name))

    def test_storage_connector(self, storage_connector_name: str, featurestore: Optional[str] = None) -> float:
        answer = self._session.send("POST", self._connector_path(featurestore, storage_connector_name, "test"))
        return float(answer["latency_ms"])

    def create_on_demand_featuregroup(
        self,
        sql_query: str,
        featuregroup: str,
        jdbc_connector_name: str,
        featurestore: Optional[str] = None,
        description: str = "",
        featuregroup_version: int = 1,
        *,
        primary_key: Union[str, Sequence[str], None] = None,
        event_time: Optional[str] = None,
        feature_descriptions: Optional[Mapping[str, str]] = None,
        tags: Optional[Mapping[str, str]] = None,
    ) -> FeatureGroup:
        described = [{"name": name, "description": text} for name, text in (feature_descriptions or {}).items()]
        optional = {
            "description": description,
            "primary_key": [primary_key] if isinstance(primary_key, str) else list(primary_key or ()),
            "event_time": event_time,
            "features": described,
            "tags": dict(tags or {}),
        }
        body = {
            "name": featuregroup,
            "version": checked_version(featuregroup_version),
            "kind": "ON_DEMAND",
            "connector": jdbc_connector_name,
            "query": sql_query,
            **{field: value for field, value in optional.items() if value},
        }
        path = url_path("projects", self._session.owner_of(featurestore), "feature-groups")
        headers = {"Idempotency-Key": new_idempotency_key()}
        return FeatureGroup.from_json(self._session.send("POST", path, body, headers=headers))

    def _create_connector(
        self,
        name: str,
        kind: str,
        given: Mapping[str, Any],
        secret: Optional[str],
        description: str,
        featurestore: Optional[str],
        secret_value: Optional[str] = None,
    ) -> StorageConnector:
        body = {
            "name": name,
            "kind": kind,
            "description": description,
            "options": {field: value for field, value in given.items() if value is not None},
            "secret": secret,
            **({} if secret_value is None else {"secret_value": secret_value}),
        }
        return from_json(StorageConnector, self._session.send("POST", self._connectors_path(featurestore), body))

    def _connector_path(self, featurestore: Optional[str], name: str, *rest: str) -> str:
        return self._connectors_path(featurestore, checked_name(name, "storage connector"), *rest)

    def _connectors_path(self, featurestore: Optional[str], *rest: str) -> str:
        return url_path("projects", self._session.owner_of(featurestore), "connectors", *rest)
