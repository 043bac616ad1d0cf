"""What `oast fsck` looks at: whether the database and the warehouse tell the same story."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.container import Container
from app.featurestore.connectors.built_in import built_in_connectors
from app.featurestore.connectors.hopsfs import folder_of
from app.featurestore.connectors.models import StorageConnector
from app.featurestore.connectors.repository import ConnectorRepository
from app.featurestore.feature_groups.models import CACHED, FeatureGroup
from app.featurestore.jobs.models import JobRun, RunState
from app.featurestore.locations.models import Location, LocationState
from app.featurestore.locations.service import CLAIM_LIFETIME
from app.featurestore.statistics.models import Statistics
from app.featurestore.training_datasets.models import TrainingDataset
from app.featurestore.warehouses.repository import WarehouseRepository, registered
from infra.errors import GatewayError, StorageUnavailableError
from tenancy.projects.models import Project

_LOST_AFTER = timedelta(minutes=2)
_Row = TypeVar("_Row", FeatureGroup, TrainingDataset)


@dataclass(frozen=True)
class Finding:
    """`is_fault`: something acknowledged is not there. Otherwise it only takes room, or will be cleaned up by itself."""

    is_fault: bool
    subject: str
    detail: str
    fix: str


@dataclass(frozen=True)
class Report:
    feature_groups: int
    training_datasets: int
    locations: int
    findings: list[Finding]

    @property
    def is_clean(self) -> bool:
        return not any(finding.is_fault for finding in self.findings)


def check_consistency(container: Container, *, deep: bool = False) -> Report:
    """Everything in the database against everything in the warehouse. `deep` reads training files and compares digests.

    Projects go on working while it looks: what was found is told if the database still says what it said before.
    """
    with container.database.read() as session:
        groups = list(session.scalars(select(FeatureGroup).where(FeatureGroup.kind == CACHED)))
        datasets = list(session.scalars(select(TrainingDataset)))
        locations = {row.path: row for row in session.scalars(select(Location))}
        projects = list(session.scalars(select(Project)))
        elsewhere = list(_own_warehouses(session))
        folders = {folder for project in projects for folder in _folders_of_connectors(session, project)}
        leftovers = [*_lost_runs(session, container), *_lost_statistics(session)]
    findings = []
    for group in groups:
        findings += _if_unchanged(group, list(_of_group(group, locations, container)), container)
    for dataset in datasets:
        findings += _if_unchanged(dataset, list(_of_dataset(dataset, locations, container, deep=deep)), container)
    named = {group.location for group in groups} | {dataset.location for dataset in datasets}
    findings += _of_locations(locations, named, container)
    known = locations.keys() | folders
    for project, below in [*((project, str(project.id)) for project in projects), *elsewhere]:
        findings += _unknown_folders(project, below, known, container)
    return Report(len(groups), len(datasets), len(locations), [*findings, *leftovers])


def _if_unchanged(row: _Row, findings: list[Finding], container: Container) -> list[Finding]:
    """Nothing of what was deleted or replaced meanwhile: its files went with it."""
    if not findings:
        return []
    with container.database.read() as session:
        now = session.get(type(row), row.id)
        return findings if now is not None and now.location == row.location else []


def _of_group(group: FeatureGroup, locations: dict[str, Location], container: Container) -> Iterator[Finding]:
    subject = f"feature group {group.project.name}/{group.name}_{group.version}"
    yield from _not_live(subject, group.location, locations)
    try:
        snapshot = container.tables.snapshot(group.location)
        there = {path.removeprefix(f"{group.location}/") for path in container.store.list_files(group.location)}
    except StorageUnavailableError as error:
        yield Finding(
            is_fault=True, subject=subject, detail=f"its table cannot be read: {error.detail}", fix=_WAREHOUSE
        )
        return
    except GatewayError as error:
        yield Finding(is_fault=True, subject=subject, detail=f"its table cannot be read: {error.detail}", fix=_BACKUP)
        return
    if snapshot.version < group.table_version:
        detail = f"commit {group.table_version} was acknowledged, and the table ends at {snapshot.version}"
        yield Finding(is_fault=True, subject=subject, detail=detail, fix=_BACKUP)
    root = f"{container.store.uri(group.location)}/"
    missing = [file.uri for file in snapshot.files if file.uri.removeprefix(root) not in there]
    if missing:
        detail = f"{len(missing)} of its {len(snapshot.files)} files are gone, such as {missing[0]}"
        yield Finding(is_fault=True, subject=subject, detail=detail, fix=_BACKUP)


def _of_dataset(
    dataset: TrainingDataset, locations: dict[str, Location], container: Container, *, deep: bool
) -> Iterator[Finding]:
    subject = f"training dataset {dataset.project.name}/{dataset.name}_{dataset.version}"
    yield from _not_live(subject, dataset.location, locations)
    files = container.places.of(dataset)
    try:
        there = files.list_files()
        for file in dataset.manifest["files"]:
            if file["path"] not in there:
                yield Finding(is_fault=True, subject=subject, detail=f"its file {file['path']} is gone", fix=_ANEW)
            elif deep and files.digest(file["path"]) != file["sha256"]:
                yield Finding(is_fault=True, subject=subject, detail=f"its file {file['path']} was changed", fix=_ANEW)
    except GatewayError as error:
        detail = f"its place {files.uri} cannot be looked at: {error.detail}"
        fix = _WAREHOUSE if dataset.connector_id is None else _CONNECTOR
        yield Finding(is_fault=dataset.connector_id is None, subject=subject, detail=detail, fix=fix)


def _not_live(subject: str, path: str, locations: dict[str, Location]) -> Iterator[Finding]:
    location = locations.get(path)
    if location is None or location.state != LocationState.LIVE.value:
        state = "unknown" if location is None else location.state
        yield Finding(is_fault=True, subject=subject, detail=f"its location {path} is {state}", fix=_BACKUP)


def _of_locations(locations: dict[str, Location], named: set[str], container: Container) -> Iterator[Finding]:
    now = container.clock.now()
    for path, location in locations.items():
        if location.state == LocationState.LIVE.value and path not in named and not _is_named(path, container):
            yield Finding(is_fault=True, subject=f"location {path}", detail="is live and nothing names it", fix=_REPORT)
        elif location.state == LocationState.DOOMED.value:
            yield Finding(is_fault=False, subject=f"location {path}", detail="waits to be removed", fix=_PURGE)
        elif location.state == LocationState.CLAIMED.value and location.changed_at < now - CLAIM_LIFETIME:
            yield Finding(is_fault=False, subject=f"location {path}", detail="was claimed and never used", fix=_PURGE)


def _is_named(path: str, container: Container) -> bool:
    """Now, or it is live no longer."""
    with container.database.read() as session:
        location = session.get(Location, path)
        if location is None or location.state != LocationState.LIVE.value:
            return True
        names = (select(model.id).where(model.location == path) for model in (FeatureGroup, TrainingDataset))
        return any(session.scalar(name.limit(1)) is not None for name in names)


def _folders_of_connectors(session: Session, project: Project) -> Iterator[str]:
    """Places that a project may put files in by itself."""
    hopsfs = session.scalars(
        ConnectorRepository(session).of_project(project.id).where(StorageConnector.kind == "HOPSFS")
    )
    names = {connector.options["dataset_name"] for connector in hopsfs}
    names |= {built_in.options.get("dataset_name", "") for built_in in built_in_connectors(project.name)}
    return (folder_of(project.id, name) for name in names)


def _own_warehouses(session: Session) -> Iterator[tuple[Project, str]]:
    for row, _ in WarehouseRepository(session).places():
        yield session.get_one(Project, row.project_id), registered(row, "").path()


def _unknown_folders(project: Project, place: str, known: AbstractSet[str], container: Container) -> Iterator[Finding]:
    below = f"{place}/"
    try:
        folders = {below + path.removeprefix(below).partition("/")[0] for path in container.store.list_files(place)}
    except StorageUnavailableError as error:
        subject = f"the warehouses of project {project.name}"
        yield Finding(is_fault=True, subject=subject, detail=error.detail, fix=_WAREHOUSE)
        return
    unknown = folders - known
    if unknown:
        # Read again: whoever removed what was only begun after the first reading would remove what somebody writes.
        with container.database.read() as session:
            unknown -= set(session.scalars(select(Location.path).where(Location.project_id == project.id)))
            unknown -= set(_folders_of_connectors(session, project))
    for folder in sorted(unknown):
        detail = "lies in the warehouse, and the database does not know of it"
        yield Finding(is_fault=False, subject=f"folder {folder}", detail=detail, fix=_UNKNOWN)


def _lost_runs(session: Session, container: Container) -> Iterator[Finding]:
    late = container.clock.now() - _LOST_AFTER
    for run in session.scalars(select(JobRun).where(JobRun.state == RunState.RUNNING.value, JobRun.lease_until < late)):
        yield Finding(is_fault=False, subject=f"run {run.id}", detail="lost its worker", fix=_WORKER)
    waiting = select(JobRun).where(JobRun.state == RunState.QUEUED.value, JobRun.not_before < late)
    if session.scalar(waiting.limit(1)) is not None:
        yield Finding(is_fault=False, subject="queue", detail="runs wait and nobody takes them", fix=_WORKER)


def _lost_statistics(session: Session) -> Iterator[Finding]:
    known: set[Any] = {*session.scalars(select(FeatureGroup.id)), *session.scalars(select(TrainingDataset.id))}
    for subject in sorted(set(session.scalars(select(Statistics.subject_id))) - known):
        yield Finding(
            is_fault=True, subject=f"statistics of {subject}", detail="outlived what they describe", fix=_REPORT
        )


_BACKUP = "restore database and warehouse from backups of the same time (docs/serving.md)"
_ANEW = "make it anew with recreate_training_dataset, or restore the file"
_CONNECTOR = "test the storage connector; who owns the bucket decides who may look"
_REPORT = "this should not happen: please report it, with the gateway's log"
_PURGE = "a worker does it by itself; `oast fsck --repair` does it now"
_WAREHOUSE = "`oast doctor` tries each warehouse and says what mends it"
_UNKNOWN = "if no gateway of another database writes here, remove the folder"
_WORKER = "start `oast worker`, or set OAST_JOBS__EMBEDDED=true"
