"""A project's connection to the gateway: every operation as a method."""

from __future__ import annotations

import logging
import sys
from types import TracebackType
from typing import NoReturn, Optional, Type

from hops.featurestore.address import HTTPS_PORT, parse_address
from hops.featurestore.catalog import CatalogOperations
from hops.featurestore.connectors import ConnectorOperations
from hops.featurestore.credentials import find_key
from hops.featurestore.credentials.found import FoundKey, Gateway, KeyRequest
from hops.featurestore.expectations import ExpectationOperations
from hops.featurestore.feature_groups import FeatureGroupOperations
from hops.featurestore.features import FeatureOperations
from hops.featurestore.history import HistoryOperations
from hops.featurestore.identity import confirm_identity
from hops.featurestore.imports import ImportOperations
from hops.featurestore.jobs import JobOperations
from hops.featurestore.metadata import Identity
from hops.featurestore.pictures import PictureOperations
from hops.featurestore.retries import RetryPolicy
from hops.featurestore.session import Session
from hops.featurestore.shares import ShareOperations
from hops.featurestore.statements import SqlOperations
from hops.featurestore.tags import TagOperations
from hops.featurestore.tls import tls_context
from hops.featurestore.training_datasets import TrainingDatasetOperations
from hops.featurestore.transport import Transport

log = logging.getLogger("hops")

DEFAULT_REGION = "default"


class Connection(
    FeatureGroupOperations,
    FeatureOperations,
    SqlOperations,
    HistoryOperations,
    ConnectorOperations,
    CatalogOperations,
    TrainingDatasetOperations,
    JobOperations,
    ImportOperations,
    PictureOperations,
    TagOperations,
    ExpectationOperations,
    ShareOperations,
):
    """Made by `open_connection`. Safe to use from several threads; cannot be pickled, because it holds the key."""

    def __init__(
        self, transport: Transport, identity: Identity, project: str, *, use_metadata_cache: bool = False
    ) -> None:
        self._transport = transport
        self._session = Session(transport, project, cached=use_metadata_cache)
        self.identity = identity
        self.project = project

    @property
    def host(self) -> str:
        return self._transport.address.host

    def set_progress(self, shown: bool = True) -> None:
        self._transport.shows_progress = shown

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Connection:  # noqa: PYI034 - typing.Self needs Python 3.11
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Connection(project={self.project!r}, address={str(self._transport.address)!r}, role={self.identity.role!r})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("A Connection holds an API key and cannot be pickled; connect again in the other process.")


def open_connection(
    host: str,
    project_name: str,
    *,
    port: int = HTTPS_PORT,
    region_name: str = DEFAULT_REGION,
    secrets_store: str = "parameterstore",
    hostname_verification: bool = True,
    trust_store_path: Optional[str] = None,
    use_metadata_cache: bool = False,
    api_key_file: Optional[str] = None,
    timeout: float = 300.0,
    quiet: bool = False,
    retries: Optional[RetryPolicy] = None,
) -> Connection:
    """Finds the key or logs in, asks the gateway whose it is, and says where it came from."""
    address = parse_address(host, port)
    tls = None
    if address.scheme == "https":
        tls = tls_context(hostname_verification=hostname_verification, trust_store_path=trust_store_path)
    region = None if region_name == DEFAULT_REGION else region_name
    gateway = Gateway(address, tls, timeout, retries)
    found = find_key(secrets_store, KeyRequest(project_name, region, api_key_file, gateway))
    transport = Transport(address, found.key, tls=tls, timeout=timeout, retries=retries)
    try:
        identity = confirm_identity(transport, project_name, found)
    except BaseException:
        transport.close()
        raise
    connection = Connection(transport, identity, project_name, use_metadata_cache=use_metadata_cache)
    connection.set_progress(not quiet)
    _announce(connection, found, quiet=quiet)
    return connection


def _announce(connection: Connection, found: FoundKey, *, quiet: bool) -> None:
    """Notebooks show what is printed and hide what is logged, so it does both, unless `quiet`."""
    text = f"Connected to project {connection.project} at {connection.host}, with {found.described}"
    log.info("%s", text)
    if not quiet:
        sys.stdout.write(text + "\n")
