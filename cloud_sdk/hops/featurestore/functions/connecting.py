"""Connecting, and what the connection is to."""

# ruff: noqa: ARG001 - the argument lists are the original clients', with what has no meaning here

from __future__ import annotations

from typing import List, Optional

from hops.featurestore.connection import Connection, open_connection
from hops.featurestore.default import default_connection, use_connection
from hops.featurestore.destinations import STORE_LEFT_OUT, Wanted
from hops.featurestore.diagnosis import Diagnosis, diagnose


def connect(
    host: Optional[str] = None, project_name: Optional[str] = None, port: int = 443, region_name: str = "default",
    secrets_store: str = STORE_LEFT_OUT, hostname_verification: bool = True, trust_store_path: Optional[str] = None,
    use_metadata_cache: bool = False, cert_folder: str = "", api_key_file: Optional[str] = None, *,
    secret_scope: Optional[str] = None, secret_key: Optional[str] = None, timeout: float = 300.0, quiet: bool = False,
) -> Connection:  # fmt: skip
    """Connect to a project; the functions of this module use the connection from then on.

    - `host`: the gateway's name, or its address as `https://name:port`; plain http is accepted for this machine only.
    - `region_name`: AWS region of the secret; "default" leaves it to boto3 (environment, profile, instance).
    - `secrets_store`: "parameterstore", "secretsmanager", "databricks" (a secret scope: `secret_scope`, by default hopsworks,
      and in it `secret_key`, by default the project's name), or "local" together with `api_key_file`, whose first line is
      the key and which others should not be able to read. With "iam" there is no key: AWS says which role this is,
      and a data owner has bound the role to the project.
    - `hostname_verification`: False counts only with the environment variable OAST_ALLOW_UNVERIFIED_TLS=1.
    - `trust_store_path`: PEM file of the authorities to trust in place of the system's.
    - `use_metadata_cache`: remember which feature stores there are, for as long as the connection lives.
    - `cert_folder` does nothing: there are no certificates to put anywhere.
    - `timeout`: seconds without a byte from the gateway before giving up.
    - `quiet`: do not print which secret the key came from (it is logged to `hops` in any case), and show no progress.

    What is left out comes from the environment (OAST_HOST, OAST_PROJECT, OAST_REGION, OAST_SECRETS_STORE, OAST_API_KEY_FILE,
    OAST_API_KEY, …), then from the profile that OAST_PROFILE names in `~/.oasthouse/profiles.ini`, else `default`. A key that
    lies there beside a host goes to that host only. Where `host` is given and no key or store anywhere, Parameter Store is
    asked, as by the original clients; without `host`, Secrets Manager, Parameter Store and Databricks, one after the other.

    Raises ApiKeyError (one class per cause), NotAuthenticatedError (LoginRefusedError with "iam"), ConnectionFailedError.
    """
    connection = open_connection(
        host, project_name, port=port, region_name=region_name, secrets_store=secrets_store,
        hostname_verification=hostname_verification, trust_store_path=trust_store_path,
        use_metadata_cache=use_metadata_cache, api_key_file=api_key_file, secret_scope=secret_scope, secret_key=secret_key,
        timeout=timeout, quiet=quiet,
    )  # fmt: skip
    return use_connection(connection)


def doctor(
    host: Optional[str] = None, project_name: Optional[str] = None, port: int = 443, region_name: str = "default",
    secrets_store: str = STORE_LEFT_OUT, hostname_verification: bool = True, trust_store_path: Optional[str] = None,
    api_key_file: Optional[str] = None, *, secret_scope: Optional[str] = None, secret_key: Optional[str] = None,
) -> Diagnosis:  # fmt: skip
    """Look at each part between here and the rows: name, network, TLS, clock, role, secret, key, S3, prefix, Spark.

    Where the gateway gives out credentials, one for the first feature group is tried in S3: it has to read there, and nowhere
    else. Otherwise a file is fetched at an address that the gateway signs, if a group comes in files.

    Takes what `connect` takes, connects nothing and never raises for what it finds: what it answers prints as a list of
    checks with their fixes, and has `ok` and `to_dict()`.
    """
    wanted = Wanted(
        host, project_name, port, region_name, secrets_store, api_key_file, trust_store_path, secret_scope, secret_key
    )
    return diagnose(wanted, hostname_verification=hostname_verification)


def set_progress(shown: bool = True) -> None:
    """Whether reading shows how far it is, on a terminal or in a notebook; never where output is redirected.

    It starts with `connect`: shown unless `quiet`. The environment variable OAST_PROGRESS=0 switches it off for good.
    """
    default_connection().set_progress(shown)


def project_featurestore() -> str:
    """The name of the project's own feature store."""
    return default_connection().project_featurestore()


def project_training_datasets_sink() -> str:
    """The name under which the original client knew the place of the project's training datasets."""
    return default_connection().project_training_datasets_sink()


def get_project_featurestores() -> List[str]:
    """The project's own feature store, then those shared with it."""
    return default_connection().get_project_featurestores()
