"""One locked-down DuckDB connection."""

from pathlib import Path

import duckdb

from infra.engines.duckdb_types import literal
from infra.engines.protocol import Access, Job, StoredRows
from infra.ports.tables import Snapshot
from infra.storage.location import S3Options


def new_database(*, remote: bool) -> duckdb.DuckDBPyConnection:
    """An empty database in memory, with the extension that reads from S3 if it is to be remote.

    It has one thread, its own: with more it could not be forked.
    """
    database = duckdb.connect(
        ":memory:",
        config={
            "threads": 1,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
            "allow_persistent_secrets": False,
        },
    )
    # Files of a table never change, so what is in memory of one needs no second look.
    for setting in (
        "TimeZone = 'UTC'",
        "parquet_metadata_cache = true",
        "validate_external_file_cache = 'NO_VALIDATION'",
    ):
        database.execute(f"SET GLOBAL {setting}")
    if remote:
        _load_s3(database)
    return database


def confine_session(connection: duckdb.DuckDBPyConnection, job: Job) -> None:
    """From here on the query's files can be read, and nothing else."""
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"SET memory_limit = {literal(job.memory_limit)}")
    connection.execute(f"SET threads = {job.threads}")
    connection.execute(f"SET temp_directory = {literal(job.spill)}")
    connection.execute(f"SET max_temp_directory_size = '{job.spill_bytes}B'")
    for number, access in enumerate(job.access):
        connection.execute(f"CREATE SECRET warehouse_{number} ({_secret(access)})")
    connection.execute(f"SET allowed_paths = [{', '.join(literal(uri) for uri in _paths(job))}]")
    connection.execute("SET enable_external_access = false")


def lock_session(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("SET lock_configuration = true")


def _paths(job: Job) -> list[str]:
    """Everything the query reads."""
    stored = [table.path for table in job.tables.values() if isinstance(table, StoredRows)]
    return stored + [file.uri for table in job.tables.values() if isinstance(table, Snapshot) for file in table.files]


def _load_s3(database: duckdb.DuckDBPyConnection) -> None:
    import duckdb_extension_httpfs  # noqa: PLC0415 not needed for a directory

    package = Path(duckdb_extension_httpfs.__file__).parent
    extension = package / "extensions" / f"v{duckdb.__version__}" / "httpfs.duckdb_extension"
    database.execute(f"LOAD {literal(str(extension))}")
    database.execute("SET GLOBAL http_timeout = 10")
    database.execute("SET GLOBAL http_retries = 3")
    database.execute("SET GLOBAL enable_http_metadata_cache = true")


def _secret(access: Access) -> str:
    s3: S3Options = access.options
    options = {
        "TYPE": "s3",
        "SCOPE": literal(access.scope),
        "KEY_ID": literal(s3.access_key_id or ""),
        "SECRET": literal(s3.secret_access_key or ""),
        "SESSION_TOKEN": literal(s3.session_token) if s3.session_token else None,
        "REGION": literal(s3.region) if s3.region else None,
        "ENDPOINT": literal(s3.endpoint_host) if s3.endpoint_host else None,
        "URL_STYLE": "'path'" if s3.path_style else None,
        "USE_SSL": "false" if s3.allows_http else None,
    }
    return ", ".join(f"{name} {value}" for name, value in options.items() if value is not None)
