"""Credentials from the default AWS chain, for those who cannot walk it themselves."""

from dataclasses import replace

import boto3

from infra.errors import StorageUnavailableError
from infra.storage.location import S3Options


def with_credentials(options: S3Options) -> S3Options:
    """The same options with keys and region filled in. Ask again for each use: what the chain gives expires."""
    if options.access_key_id is not None:
        return options
    session = boto3.Session()
    found = session.get_credentials()
    if found is None:
        raise StorageUnavailableError("No AWS credentials for the warehouse.", hint="Give keys, or a role.")
    keys = found.get_frozen_credentials()
    return replace(
        options,
        region=options.region or session.region_name,
        access_key_id=keys.access_key,
        secret_access_key=keys.secret_key,
        session_token=keys.token,
    )
