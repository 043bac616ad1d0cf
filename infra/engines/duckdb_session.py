"""One fresh, locked-down DuckDB connection."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import duckdb_extension_httpfs

from infra.engines.duckdb_types import literal
from infra.engines.duckdb_views import create_view
from infra.ports.engine import EngineQuery
from infra.storage.location import S3Options, Warehouse


@dataclass(frozen=True)
class SessionLimits:
    """`memory_limit` in DuckDB's form, such as `1GB`; it and `threads` hold for one query, not for all together."""

    memory_limit: str
    threads: int


def open_session(warehouse: Warehouse, limits: SessionLimits, spill: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory database of its own: nothing one query defines can be seen by another."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": limits.memory_limit,
            "threads": limits.threads,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
            "allow_persistent_secrets": False,
        },
    )
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET parquet_metadata_cache = true")
        if warehouse.s3 is not None:
            _connect_s3(connection, warehouse.url, warehouse.s3)
    except BaseException:
        connection.close()
        raise
    return connection


def define_tables(connection: duckdb.DuckDBPyConnection, warehouse: Warehouse, query: EngineQuery) -> None:
    """Make the query's tables visible, and nothing else: files outside the warehouse are out of reach from here on."""
    connection.execute(f"SET allowed_directories = [{literal(warehouse.url + '/')}]")
    connection.execute("SET enable_external_access = false")
    for name, snapshot in query.tables.items():
        create_view(connection, name, snapshot)
    connection.execute("SET lock_configuration = true")


def _connect_s3(connection: duckdb.DuckDBPyConnection, url: str, s3: S3Options) -> None:
    from infra.storage.credentials import with_credentials  # noqa: PLC0415 brings boto3, which is heavy

    package = Path(duckdb_extension_httpfs.__file__).parent
    extension = package / "extensions" / f"v{duckdb.__version__}" / "httpfs.duckdb_extension"
    connection.execute(f"LOAD {literal(str(extension))}")
    connection.execute("SET http_timeout = 10")
    connection.execute("SET http_retries = 3")
    connection.execute("SET enable_http_metadata_cache = true")
    connection.execute(f"CREATE SECRET warehouse ({_secret(url, with_credentials(s3))})")


def _secret(url: str, s3: S3Options) -> str:
    options = {
        "TYPE": "s3",
        "SCOPE": literal(url),
        "KEY_ID": literal(s3.access_key_id or ""),
        "SECRET": literal(s3.secret_access_key or ""),
        "SESSION_TOKEN": literal(s3.session_token) if s3.session_token else None,
        "REGION": literal(s3.region) if s3.region else None,
        "ENDPOINT": literal(s3.endpoint_host) if s3.endpoint_host else None,
        "URL_STYLE": "'path'" if s3.path_style else None,
        "USE_SSL": "false" if s3.allows_http else None,
    }
    return ", ".join(f"{name} {value}" for name, value in options.items() if value is not None)
