"""Feature groups that the gateway imports from a bucket, a folder or a database, as a job of their name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Dict, Optional, Union

from hops.featurestore.arguments import checked_version
from hops.featurestore.errors import InvalidInputError, NotSupportedError
from hops.featurestore.jobs import job_path
from hops.featurestore.runs import JobRun, checked_timeout
from hops.featurestore.session import Operations
from hops.featurestore.upload import command_request

MODES = ("create", "append", "overwrite", "upsert")


class ImportOperations(Operations):
    def import_featuregroup_s3(
        self,
        storage_connector: str,
        featuregroup: str,
        path: Optional[str] = None,
        primary_key: Union[str, Sequence[str], None] = None,
        description: str = "",
        featurestore: Optional[str] = None,
        featuregroup_version: int = 1,
        jobs: Optional[Sequence[str]] = None,
        partition_by: Optional[Sequence[str]] = None,
        data_format: str = "parquet",
        *,
        statistics: Optional[Mapping[str, Any]] = None,
        features: Optional[Mapping[str, str]] = None,
        tags: Optional[Mapping[str, str]] = None,
        event_time: Optional[str] = None,
        mode: str = "create",
        schedule: Optional[str] = None,
        time_zone: str = "UTC",
        wait: bool = True,
        timeout: Optional[float] = None,
    ) -> JobRun:
        source = {"path": path or "", "data_format": data_format}
        target = _target(
            storage_connector, featuregroup, featuregroup_version, description, primary_key, partition_by, jobs,
            statistics=statistics, features=features, tags=tags, event_time=event_time, mode=mode,
        )  # fmt: skip
        self._require_own(featurestore)
        return self._import("import_files", {**source, **target}, schedule, time_zone, wait, timeout)

    def import_featuregroup_redshift(
        self,
        storage_connector: str,
        query: str,
        featuregroup: str,
        primary_key: Union[str, Sequence[str], None] = None,
        description: str = "",
        featurestore: Optional[str] = None,
        featuregroup_version: int = 1,
        jobs: Optional[Sequence[str]] = None,
        partition_by: Optional[Sequence[str]] = None,
        *,
        statistics: Optional[Mapping[str, Any]] = None,
        features: Optional[Mapping[str, str]] = None,
        tags: Optional[Mapping[str, str]] = None,
        event_time: Optional[str] = None,
        mode: str = "create",
        schedule: Optional[str] = None,
        time_zone: str = "UTC",
        wait: bool = True,
        timeout: Optional[float] = None,
    ) -> JobRun:
        target = _target(
            storage_connector, featuregroup, featuregroup_version, description, primary_key, partition_by, jobs,
            statistics=statistics, features=features, tags=tags, event_time=event_time, mode=mode,
        )  # fmt: skip
        self._require_own(featurestore)
        return self._import("import_sql", {"query": query, **target}, schedule, time_zone, wait, timeout)

    def _import(
        self,
        kind: str,
        arguments: Mapping[str, Any],
        schedule: Optional[str],
        time_zone: str,
        wait: bool,
        timeout: Optional[float],
    ) -> JobRun:
        checked_timeout(timeout)  # before anything is saved
        if schedule is not None and arguments["mode"] == "create":
            raise InvalidInputError(
                "schedule= with mode='create' would fail from the second time on: the group is there then.",
                hint="Give mode='overwrite', 'append' or 'upsert': each makes the group the first time.",
            )
        name = arguments["feature_group"]
        body = {
            "kind": kind,
            "arguments": dict(arguments),
            "feature_groups": [f"{name}_{arguments['version']}"],
            "schedule": schedule,
            "time_zone": time_zone,
        }
        self._session.send("PUT", job_path(self._session, name), body)
        started = command_request(job_path(self._session, name, "runs"), {})
        run = JobRun(self._session, self._session.transport.json(started))
        return run.wait(timeout) if wait else run

    def _require_own(self, featurestore: Optional[str]) -> None:
        owner = self._session.owner_of(featurestore)
        if owner != self._session.project:
            raise NotSupportedError(
                f"featurestore={featurestore!r} belongs to project {owner!r}, and imports go into the project's own.",
                hint="Leave out featurestore=, or connect to that project.",
            )


def _target(
    connector: str,
    featuregroup: str,
    version: int,
    description: str,
    primary_key: Union[str, Sequence[str], None],
    partition_by: Optional[Sequence[str]],
    jobs: Optional[Sequence[str]],
    **more: Any,
) -> Dict[str, Any]:
    if more["mode"] not in MODES:
        raise InvalidInputError(f"mode={more['mode']!r} is none.", candidates=MODES)
    optional = {
        "description": description,
        "primary_key": _names(primary_key),
        "partition_by": _names(partition_by),
        "jobs": _names(jobs),
        "features": [{"name": name, "type": kind} for name, kind in (more["features"] or {}).items()],
        "tags": dict(more["tags"] or {}),
        "statistics": more["statistics"],
        "event_time": more["event_time"],
    }
    given = {name: value for name, value in optional.items() if value}
    return {
        "connector": connector,
        "feature_group": featuregroup,
        "version": checked_version(version),
        "mode": more["mode"],
        **given,
    }


def _names(given: Union[str, Sequence[str], None]) -> Sequence[str]:
    return [given] if isinstance(given, str) else list(given or ())
