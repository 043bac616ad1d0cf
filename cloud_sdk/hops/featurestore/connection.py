"""A project's connection to the gateway: every operation as a method."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import NoReturn, Optional, Type

from hops.featurestore.address import HTTPS_PORT
from hops.featurestore.catalog import CatalogOperations
from hops.featurestore.connectors import ConnectorOperations
from hops.featurestore.credentials.found import FoundKey, Gateway
from hops.featurestore.destinations import DEFAULT_REGION, STORE_LEFT_OUT, Wanted, resolve
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
    host: Optional[str] = None,
    project_name: Optional[str] = None,
    *,
    port: int = HTTPS_PORT,
    region_name: str = DEFAULT_REGION,
    secrets_store: str = STORE_LEFT_OUT,
    hostname_verification: bool = True,
    trust_store_path: Optional[str] = None,
    use_metadata_cache: bool = False,
    api_key_file: Optional[str] = None,
    secret_scope: Optional[str] = None,
    secret_key: Optional[str] = None,
    timeout: float = 300.0,
    quiet: bool = False,
    retries: Optional[RetryPolicy] = None,
) -> Connection:
    """Finds host, project and key, or logs in, asks the gateway whose it is, and says where all that came from."""
    destination = resolve(
        Wanted(
            host,
            project_name,
            port,
            region_name,
            secrets_store,
            api_key_file,
            trust_store_path,
            secret_scope,
            secret_key,
        )
    )
    address, tls = destination.address, None
    if address.scheme == "https":
        tls = tls_context(hostname_verification=hostname_verification, trust_store_path=destination.trust_store_path)
    gateway = Gateway(address, tls, timeout, retries)
    found = destination.find_key(gateway)
    key = destination.authorization(found, gateway)
    transport = Transport(address, key, tls=tls, timeout=timeout, retries=retries)
    try:
        identity = confirm_identity(transport, destination.project, found)
    except BaseException:
        transport.close()
        raise
    connection = Connection(transport, identity, destination.project, use_metadata_cache=use_metadata_cache)
    connection.set_progress(not quiet)
    _announce(connection, found, destination.origins, quiet=quiet)
    return connection


def _announce(connection: Connection, found: FoundKey, origins: Sequence[str], *, quiet: bool) -> None:
    """Notebooks show what is printed and hide what is logged, so it does both, unless `quiet`."""
    text = f"Connected to project {connection.project} at {connection.host}, with {found.described}"
    if origins:
        text += f" ({', '.join(origins)})"
    log.info("%s", text)
    if not quiet:
        sys.stdout.write(text + "\n")
