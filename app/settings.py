"""Every setting, and the only reader of the environment: prefix `OAST_`, nesting `__`. docs/settings.md lists them."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
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
    presigned_seconds: Annotated[int, Field(ge=0, le=604800)] = Field(
        300,
        description="Life of the addresses at which clients fetch files from the bucket; 0 if they cannot reach it.",
    )
    direct_reads: bool = Field(
        default=False, description="Clients such as Spark read the warehouse with credentials of their own."
    )


class EngineSettings(_Section):
    """Limits of a query."""

    memory_limit: str = Field("1GB", description="Memory of one query; beyond it spills to disk.")
    threads: Annotated[int, Field(ge=1)] = Field(2, description="Threads of one query.")
    slots: Annotated[int, Field(ge=1)] = Field(
        4, description="Queries at once in one worker process; where there are several, one project gets all but one."
    )
    wait_seconds: Annotated[float, Field(ge=0)] = Field(
        20.0, description="How long a query waits for a slot; as many may wait as there are slots."
    )
    deadline_seconds: Annotated[float, Field(gt=0)] = Field(300.0, description="A query is stopped after this time.")


class SqlSettings(_Section):
    """Limits of a query whose SQL a user wrote; those of the engine hold too."""

    deadline_seconds: Annotated[float, Field(gt=0)] = Field(
        60.0, description="SQL that a user wrote is stopped after this time."
    )
    max_rows: Annotated[int, Field(ge=1)] = Field(10_000_000, description="Rows that SQL of a user may answer.")
    max_bytes: Annotated[int, Field(ge=1)] = Field(
        4096 * _MIB, description="Bytes that SQL of a user may answer, as sent."
    )


class ResultSettings(_Section):
    """How rows are answered."""

    parts_from_bytes: Annotated[int, Field(ge=0)] = Field(
        4 * _MIB,
        description="A whole feature group of so many bytes is answered as a list of its files, to clients that ask.",
    )


class UploadSettings(_Section):
    """Limits of a frame sent to the gateway."""

    max_bytes: Annotated[int, Field(ge=1)] = Field(2048 * _MIB, description="Bytes of one frame as sent.")
    max_expanded_bytes: Annotated[int, Field(ge=1)] = Field(8192 * _MIB, description="Bytes of one frame uncompressed.")
    spool_dir: Path | None = Field(None, description="Where frames wait while they are checked; default: the system's.")


class KeySettings(_Section):
    """Lifetimes of API keys."""

    default_days: Annotated[int, Field(ge=1)] = Field(90, description="Life of a key where none is asked.")
    max_days: Annotated[int, Field(ge=1)] = Field(365, description="Longest life that can be asked.")


class LoginSettings(_Section):
    """AWS roles that connect without a stored key."""

    server_id: str | None = Field(
        None,
        description="Public name of this gateway, as clients call it; for it AWS roles log in. Without it none does.",
    )
    regions: str | None = Field(
        None, description="AWS regions, separated by commas, whose STS may vouch for a role: `eu-west-1,us-east-1`."
    )
    endpoint_url: str | None = Field(None, description="Another endpoint than AWS's own STS, such as one inside a VPC.")

    @field_validator("server_id")
    @classmethod
    def _is_a_name(cls, server_id: str | None) -> str | None:
        if server_id is not None and not re.fullmatch(r"[a-z0-9:][a-z0-9.:-]{0,252}", server_id):
            raise ValueError("must be the gateway's host name in lower case, without scheme and port")
        return server_id

    @field_validator("regions")
    @classmethod
    def _are_regions(cls, regions: str | None) -> str | None:
        if not all(re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]", region) for region in _listed(regions)):
            raise ValueError("must be names of AWS regions, separated by commas")
        return regions

    @field_validator("endpoint_url")
    @classmethod
    def _is_safe(cls, url: str | None) -> str | None:
        # Plain http would show session tokens to whoever is in between; on this machine nobody is.
        if url and not re.fullmatch(r"https://[^/?#@]+/?|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?/?", url):
            raise ValueError("must be https://host, or http:// on this machine")
        return url

    @model_validator(mode="after")
    def _is_whole(self) -> "LoginSettings":
        if (self.server_id is None) != (not self.listed_regions):
            raise ValueError("server_id and regions are given together, or neither")
        return self

    @property
    def listed_regions(self) -> frozenset[str]:
        return frozenset(_listed(self.regions))


class LimitSettings(_Section):
    """How often one address may try to come in."""

    failures: Annotated[int, Field(ge=0)] = Field(
        30, description="Refused keys or sessions of one address in ten seconds; 0 is no limit."
    )
    logins: Annotated[int, Field(ge=0)] = Field(
        60, description="Logins of AWS roles from one address in ten seconds; 0 is no limit."
    )
    url: SecretStr | None = Field(
        None,
        description="`valkey://…` or, with TLS, `valkeys://…`, where all processes count together; without it each for itself.",
    )


class SecretSettings(_Section):
    """Which secrets projects may name."""

    prefix: str = Field(
        "oasthouse/{project}/",
        description="What the names of a project's secrets in AWS begin with; `{project}` is its name.",
    )
    local: str | None = Field(
        None,
        description="Secrets of this machine lent to projects: `project=env:OAST_SECRET_…` or `project=file:name`, "
        "separated by commas.",
    )
    directory: Path | None = Field(None, description="Where `file:` secrets lie; without it there are none.")
    stored: bool = Field(
        default=False, description="Connectors may be given secrets themselves, which are then kept here, encrypted."
    )
    key: SecretStr | None = Field(
        None, description="A reference to the key of what is kept here: 32 bytes, hexadecimal."
    )
    old_key: SecretStr | None = Field(None, description="The one before, until `oast secrets rewrap` has been run.")
    kms_key: str | None = Field(
        None, description="A key of AWS KMS in its place, by ARN, id or `alias/…`; `OAST_SECRETS__KEY` then reads only."
    )
    aws_region: str | None = Field(None, description="Region of the secrets; default: the AWS SDK's own.")
    aws_accounts: str | None = Field(
        None, description="Accounts, separated by commas, whose secrets may be named by ARN; without it names only."
    )
    aws_endpoint_url: str | None = Field(None, description="Another endpoint than AWS's own, such as one inside a VPC.")

    @field_validator("prefix")
    @classmethod
    def _is_apart(cls, prefix: str) -> str:
        # Without an end that no project name has, `sales` would own what belongs to `sales_emea`.
        if not re.fullmatch(r"[^{}]*\{project\}[^a-z0-9_{}][^{}]*", prefix):
            raise ValueError("must hold {project} once, followed by a character that no project name has, such as /")
        return prefix

    @property
    def accounts(self) -> frozenset[str]:
        return frozenset(_listed(self.aws_accounts))

    @property
    def lent(self) -> frozenset[tuple[str, str]]:
        """(project, reference) pairs."""
        return frozenset((project.strip(), ref.strip()) for project, _, ref in _pairs(self.local))

    @field_validator("local")
    @classmethod
    def _is_pairs(cls, local: str | None) -> str | None:
        if not all(project.strip() and re.match(r"(env|file):", ref.strip()) for project, _, ref in _pairs(local)):
            raise ValueError("must be project=env:OAST_SECRET_… or project=file:name, separated by commas")
        return local


class ConnectorSettings(_Section):
    """Databases and buckets that projects reach through storage connectors."""

    allowed_networks: str | None = Field(
        None,
        description="Networks, separated by commas, that may be connected to beside public addresses: `10.1.0.0/16`.",
    )
    ca_file: Path | None = Field(
        None, description="Authorities of the databases' certificates, PEM; default: the system's."
    )
    sqlite_directory: Path | None = Field(
        None, description="Where SQLite files lie, in a folder for each project; without it there are none."
    )
    max_rows: Annotated[int, Field(ge=1)] = Field(10_000_000, description="Rows of one read from such a database.")
    max_bytes: Annotated[int, Field(ge=1)] = Field(4096 * _MIB, description="Bytes of one read, as Arrow.")
    deadline_seconds: Annotated[float, Field(gt=0)] = Field(120.0, description="One read is stopped after this time.")
    allow_http: bool = Field(default=False, description="Buckets may be at `http://` endpoints.")
    bucket_ca_file: Path | None = Field(
        None, description="Authorities of the certificates of S3 endpoints, PEM; default: the AWS SDK's own."
    )
    sts_region: str | None = Field(
        None, description="Where roles of connectors are assumed; default: the AWS SDK's own."
    )
    sts_endpoint_url: str | None = Field(None, description="Another endpoint for that than AWS's own.")
    max_files: Annotated[int, Field(ge=1)] = Field(10_000, description="Files of one read from a bucket or a folder.")
    max_file_bytes: Annotated[int, Field(ge=1)] = Field(
        16384 * _MIB, description="Bytes of these files together, as they are stored."
    )

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, networks: str | None) -> str | None:
        _networks(networks)
        return networks

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return _networks(self.allowed_networks)


def _pairs(text: str | None) -> list[tuple[str, str, str]]:
    return [part.partition("=") for part in _listed(text)]


def _networks(text: str | None) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(part) for part in _listed(text))


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


class SparkSettings(_Section):
    """The Spark that joins what outgrows one machine."""

    remote: SecretStr | None = Field(
        None, description="`sc://host:port/;token=…` of a Spark Connect endpoint; without it there is none."
    )
    s3_scheme: Literal["s3", "s3a"] = Field("s3a", description="What that Spark calls `s3://`.")
    deadline_seconds: Annotated[float, Field(gt=0, le=72_000)] = Field(
        10_800.0, description="A join in Spark is stopped after this time."
    )


class JobSettings(_Section):
    """What runs in the background."""

    embedded: bool = Field(
        default=True, description="`oast serve` brings a worker with it; otherwise run `oast worker`."
    )
    slots: Annotated[int, Field(ge=1)] = Field(
        2, description="Runs at once in one worker; where there are several, one project gets all but one."
    )
    deadline_seconds: Annotated[float, Field(gt=0)] = Field(21_600.0, description="A run is stopped after this time.")
    history_days: Annotated[int, Field(ge=1, le=36_500)] = Field(
        90, description="Runs that ended longer ago go, with their logs; the last one of each job stays."
    )
    programs: Path | None = Field(
        None, description="TOML file of the programs that projects may run; without it there are none."
    )


class StatisticsSettings(_Section):
    """What is computed without being asked for."""

    after_commits: bool = Field(
        default=True, description="Statistics of feature groups and training datasets after each write."
    )


class VendingSettings(_Section):
    """Credentials that clients are given, to read a table or to bring rows in S3 without the gateway in between."""

    role: str | None = Field(
        None,
        description="ARN of the role that is cut down to one table for each credential; without it there are none.",
    )
    region: str | None = Field(None, description="Where the role is assumed; default: the warehouse's region.")
    endpoint_url: str | None = Field(None, description="Another STS endpoint than AWS's own.")
    seconds: Annotated[int, Field(ge=900, le=3600)] = Field(900, description="Life of a credential.")
    from_bytes: Annotated[int, Field(ge=0)] = Field(
        32 * _MIB,
        description="A feature group of so many bytes is read, and rows of so many are inserted, by the SDK in S3, "
        "where it may have a credential.",
    )


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
    trusted_proxies: str | None = Field(
        None,
        description="Networks, separated by commas, of proxies in front that add the client's address to `X-Forwarded-For`.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, networks: str | None) -> str | None:
        _networks(networks)
        return networks

    @property
    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return _networks(self.trusted_proxies)


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
    database_password: SecretStr | None = Field(
        None, description="Goes into the URL; a reference is read again where the database refuses it."
    )
    pepper_file: Path | None = Field(
        None, description="Key of all key hashes, mode 0600; default: `pepper` below the data directory."
    )
    pepper: SecretStr | None = Field(None, description="A reference to the same key, in place of the file.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe line that is logged."
    )
    warehouse: WarehouseSettings = WarehouseSettings()
    engine: EngineSettings = EngineSettings()
    sql: SqlSettings = SqlSettings()
    results: ResultSettings = ResultSettings()
    uploads: UploadSettings = UploadSettings()
    keys: KeySettings = KeySettings()
    login: LoginSettings = LoginSettings()
    limits: LimitSettings = LimitSettings()
    server: ServerSettings = ServerSettings()
    secrets: SecretSettings = SecretSettings()
    connectors: ConnectorSettings = ConnectorSettings()
    spark: SparkSettings = SparkSettings()
    jobs: JobSettings = JobSettings()
    statistics: StatisticsSettings = StatisticsSettings()
    vending: VendingSettings = VendingSettings()

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
