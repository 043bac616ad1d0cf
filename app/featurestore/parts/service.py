"""Use cases around parts: which to answer, and handing one out."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa

from app.featurestore.feature_groups.infos import group_schema
from app.featurestore.feature_groups.models import CACHED
from app.featurestore.feature_groups.repository import FeatureGroupRepository
from app.featurestore.parts.by_path import PlanByPath, plan_by_path
from app.featurestore.parts.errors import PartNotFoundError
from app.featurestore.parts.manifest import Part, PartsManifest
from app.featurestore.parts.spark_plan import NO_PLAN, SparkPlan, spark_plan
from app.featurestore.parts.transfers import Transfers
from app.featurestore.query.service import Retrieval
from app.featurestore.query.transfer import Transfer, TransferMode
from infra.clock import Clock
from infra.database.unit_of_work import Database
from infra.errors import InvalidInputError, NotFoundError
from infra.ids import IdFactory
from infra.ports.storage import ObjectStore
from infra.ports.tables import DataFile, Snapshot, TableStore
from tenancy.access import Authorizer
from tenancy.actions import Action
from tenancy.principals import RequestContext


class PartService:
    """`presigned_seconds` 0: clients cannot reach the bucket.

    `direct_reads`: clients have credentials of their own for the warehouse and are told where the files lie.
    """

    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        tables: TableStore,
        store: ObjectStore,
        clock: Clock,
        ids: IdFactory,
        presigned_seconds: int,
        direct_reads: bool,
        transfers: Transfers,
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._store = store
        self._clock = clock
        self._ids = ids
        self._presigned_seconds = presigned_seconds
        self._direct_reads = direct_reads
        self._tables = tables
        self._transfers = transfers

    def offer(self, context: RequestContext, retrieval: Retrieval) -> PartsManifest | None:
        """What a retrieval of one whole group will read, as parts; None where a stream is the better answer, or the only one.

        Whoever planned it asked for FEATURE_GROUP_READ_ROWS and nothing else: rules that hide rows or columns would have to be
        asked about here.
        """
        transfer = self._transfers.choose(context, retrieval)
        if transfer.mode is TransferMode.STREAM:
            return None
        return self._manifest(retrieval.snapshots[0], retrieval.schema, transfer)

    def transfer(self, context: RequestContext, retrieval: Retrieval) -> Transfer:
        """How the rows of a retrieval will travel to a client that takes parts."""
        return self._transfers.choose(context, retrieval)

    def plan_for_spark(self, retrieval: Retrieval) -> SparkPlan:
        """For clients that may read the warehouse by themselves, and then need no rows from us."""
        return spark_plan(retrieval, self._ids()) if self._direct_reads else NO_PLAN

    def plan_by_path(self, context: RequestContext, retrieval: Retrieval) -> PlanByPath:
        """For programs that read tables by path, with credentials for those of the plan."""
        return plan_by_path(context, retrieval, self._ids(), self._transfers.vending)

    def get(self, context: RequestContext, project: str, name: str, version: int, table_version: int) -> PartsManifest:
        """The parts of one version of the table, whatever their size: addresses that expired are asked for anew."""
        snapshot, schema = self._pinned(context, project, name, version, table_version)
        manifest = self._manifest(
            snapshot, schema, Transfer(self._transfers.mode_of_files, "its addresses were asked for anew")
        )
        if manifest is None:
            raise PartNotFoundError(f"Table version {table_version} cannot be had in parts.", hint="Read its rows.")
        return manifest

    def file(
        self, context: RequestContext, project: str, name: str, version: int, table_version: int, number: int
    ) -> Path:
        """The file behind a part of a warehouse on this machine."""
        snapshot, _ = self._pinned(context, project, name, version, table_version)
        if number >= len(snapshot.files):
            raise PartNotFoundError(f"Table version {table_version} has {len(snapshot.files)} parts.")
        try:
            path = self._store.local_path(snapshot.files[number].uri)
        except InvalidInputError:
            path = None
        if path is None or not path.is_file():
            # Perhaps the group was deleted since it was found; then this says so.
            self._pinned(context, project, name, version, table_version)
            raise PartNotFoundError(
                f"Part {number} of table version {table_version} is not here.", hint="Read the rows again."
            )
        return path

    def _pinned(
        self, context: RequestContext, project: str, name: str, version: int, table_version: int
    ) -> tuple[Snapshot, pa.Schema]:
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.FEATURE_GROUP_READ_ROWS, project)
            group = FeatureGroupRepository(session).get(access.project_id, name, version)
            kind, location, schema = group.kind, group.location, group_schema(group.features)
        if kind != CACHED:
            raise PartNotFoundError("The rows of this feature group are not in the warehouse.", hint="Read its rows.")
        try:
            return self._tables.snapshot(location, table_version), schema
        except NotFoundError as error:
            raise PartNotFoundError(f"The feature group has no table version {table_version}.") from error

    def _manifest(self, snapshot: Snapshot, schema: pa.Schema, transfer: Transfer) -> PartsManifest | None:
        is_direct = transfer.mode is TransferMode.DIRECT
        made = (self._part(file, is_direct=is_direct) for file in snapshot.files)
        try:
            parts = tuple(part for part in made if part is not None)
        except InvalidInputError:  # a file that somebody else's commit put where we hand nothing out
            return None
        if len(parts) < len(snapshot.files):
            return None
        expires = None
        if any(part.presigned for part in parts):
            expires = self._clock.now() + timedelta(seconds=self._presigned_seconds)
        return PartsManifest(snapshot.version, schema, parts, expires, transfer)

    def _part(self, file: DataFile, *, is_direct: bool) -> Part | None:
        """None where nobody could tell whether it arrived whole, or fetch it."""
        presigned = self._store.presigned(file.uri, self._presigned_seconds) if self._presigned_seconds else None
        if file.rows is None or (presigned is None and self._store.local_path(file.uri) is None):
            return None
        uri = file.uri if self._direct_reads else None
        return Part(file.bytes, file.rows, file.partition, presigned, uri, file.uri if is_direct else None)
