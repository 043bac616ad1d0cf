"""Every setting, and the only reader of the environment: prefix `OAST_`, nesting `__`. docs/settings.md lists them."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "OAST_"
_MIB = 1024 * 1024


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WarehouseSettings(_Section):
    """Where tables and training datasets live."""

    url: str | None = Field(
        None, description="Directory or `s3://bucket/prefix`; default: `warehouse` below the data directory."
    )
    region: str | None = Field(None, description="AWS region of the bucket.")
    endpoint_url: str | None = Field(None, description="Another S3 endpoint than AWS's own.")
    access_key_id: str | None = Field(
        None, description="Default: the AWS SDK's own chain (role, profile, environment)."
    )
    secret_access_key: SecretStr | None = Field(None, description="Goes with the access key id.")
    session_token: SecretStr | None = Field(None, description="Goes with temporary credentials.")


class EngineSettings(_Section):
    """Limits of a query."""

    memory_limit: str = Field("1GB", description="Memory of one query; beyond it spills to disk.")
    threads: Annotated[int, Field(ge=1)] = Field(2, description="Threads of one query.")
    slots: Annotated[int, Field(ge=1)] = Field(4, description="Queries at once in one worker process.")
    deadline_seconds: Annotated[float, Field(gt=0)] = Field(300.0, description="A query is stopped after this time.")


class UploadSettings(_Section):
    """Limits of a frame sent to the gateway."""

    max_bytes: Annotated[int, Field(ge=1)] = Field(2048 * _MIB, description="Bytes of one frame as sent.")
    max_expanded_bytes: Annotated[int, Field(ge=1)] = Field(8192 * _MIB, description="Bytes of one frame uncompressed.")
    spool_dir: Path | None = Field(None, description="Where frames wait while they are checked; default: the system's.")


class KeySettings(_Section):
    """Lifetimes of API keys."""

    default_days: Annotated[int, Field(ge=1)] = Field(90, description="Life of a key where none is asked.")
    max_days: Annotated[int, Field(ge=1)] = Field(365, description="Longest life that can be asked.")


class ServerSettings(_Section):
    """How `oast serve` listens."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8181, description="Port to listen on.")
    workers: Annotated[int, Field(ge=1)] = Field(2, description="Worker processes.")
    threads: Annotated[int, Field(ge=16)] = Field(
        16, description="Threads of a worker. As many silent connections stall it, hence 16 at least."
    )
    certfile: Path | None = Field(None, description="TLS certificate chain, PEM.")
    keyfile: Path | None = Field(None, description="TLS private key, PEM.")
    behind_tls_proxy: bool = Field(
        default=False, description="A proxy in front ends TLS; without it only loopback is served plainly."
    )


class Settings(BaseSettings):
    """`Settings()` reads the environment once, at start-up."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    environment: Literal["live", "test"] = Field(
        "live", description="Keys of one environment are refused by the other."
    )
    data_dir: Path = Field(Path("oast-data"), description="Where the embedded defaults keep their files.")
    database_url: SecretStr | None = Field(
        None, description="`postgresql://…` or `sqlite:///…`; default: `oasthouse.db` below the data directory."
    )
    pepper_file: Path | None = Field(
        None, description="Key of all key hashes, mode 0600; default: `pepper` below the data directory."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe line that is logged."
    )
    warehouse: WarehouseSettings = WarehouseSettings()
    engine: EngineSettings = EngineSettings()
    uploads: UploadSettings = UploadSettings()
    keys: KeySettings = KeySettings()
    server: ServerSettings = ServerSettings()

    @property
    def resolved_database_url(self) -> str:
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir.absolute() / 'oasthouse.db'}"

    @property
    def resolved_pepper_file(self) -> Path:
        return self.pepper_file or self.data_dir / "pepper"

    @property
    def resolved_warehouse_url(self) -> str:
        return self.warehouse.url or str(self.data_dir.absolute() / "warehouse")


# Read by the SDK, which may run on the same machine.
_OF_THE_SDK = frozenset({"OAST_ALLOW_UNVERIFIED_TLS"})


def unknown_variables() -> list[str]:
    """`OAST_…` variables that name no setting: a typing error there would otherwise pass in silence."""
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields} | _OF_THE_SDK
    names = (name.upper() for name in os.environ if name.upper().startswith(PREFIX))
    return sorted(name for name in names if name.partition("__")[0] not in known)
