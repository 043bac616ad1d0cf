"""What an import is asked for."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

import pyarrow as pa

from app.featurestore.feature_groups.registration import require_valid_names
from app.featurestore.feature_groups.rules import FeatureSpec, GroupSpec
from app.featurestore.feature_groups.types import to_arrow
from app.featurestore.statistics.maths.options import StatisticsOptions, require_options
from infra.errors import InvalidInputError
from tenancy.names import require_name

CREATE: Final = "create"
MAX_QUERY = 11_000


@dataclass(frozen=True, kw_only=True)
class ImportTarget:
    """The group to make, as in a request that makes one, and `mode`: what becomes of the rows where it is there already."""

    connector: str
    feature_group: str
    version: int = 1
    mode: Literal["create", "append", "overwrite", "upsert"] = CREATE
    description: str = ""
    primary_key: tuple[str, ...] | None = None
    event_time: str | None = None
    partition_by: tuple[str, ...] = ()
    features: tuple[FeatureSpec, ...] = ()
    tags: dict[str, str] | None = None
    jobs: tuple[str, ...] = ()
    statistics: StatisticsOptions | None = None

    def spec(self, job: str | None = None) -> GroupSpec:
        """The group; `job` is who makes it."""
        return GroupSpec(
            name=self.feature_group,
            version=self.version,
            description=self.description,
            primary_key=self.primary_key or None,
            event_time=self.event_time,
            partition_by=self.partition_by,
            features=self.features,
            tags=self.tags or {},
            jobs=tuple(dict.fromkeys((*self.jobs, *([job] if job else [])))),
            statistics=stored_statistics(self.statistics),
        )


@dataclass(frozen=True, kw_only=True)
class ImportFiles(ImportTarget):
    """`path` is a file, or a folder with everything below it; `""` is the connector's whole place."""

    path: str = ""
    data_format: str = "parquet"


@dataclass(frozen=True, kw_only=True)
class ImportSql(ImportTarget):
    query: str


def stored_statistics(options: StatisticsOptions | None) -> dict[str, Any] | None:
    return None if options is None else {**asdict(options), "columns": list(options.columns)}


def require_target(target: ImportTarget) -> None:
    """All that can be said without a look at the source. Raises InvalidInputError."""
    require_valid_names(target.spec())
    names = [feature.name for feature in target.features]
    for feature in target.features:
        require_name(feature.name, "feature")
        if names.count(feature.name) > 1:
            raise InvalidInputError(f"{feature.name!r} stands twice in features.")
        if feature.type is not None:
            to_arrow(feature.type)
    if target.statistics is not None:
        require_options(replace(target.statistics, columns=()), pa.schema([]))


def require_path(path: str) -> None:
    if "://" in path:
        raise InvalidInputError(
            "path= is an address.",
            hint="Give the path below the bucket and prefix of the connector, such as teams/2019.",
        )


def require_query(query: str) -> None:
    if not query.strip():
        raise InvalidInputError("An import from a database needs a query.")
    if len(query) > MAX_QUERY:
        raise InvalidInputError(
            f"The query has {len(query):,} characters; {MAX_QUERY:,} is the most.",
            hint="Make a view of it at the source.",
        )
