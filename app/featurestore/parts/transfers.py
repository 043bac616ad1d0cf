"""Which way the rows of an answer travel."""

from app.featurestore.query.pinned import PinnedTable
from app.featurestore.query.plans import LogicalPlan
from app.featurestore.query.service import Retrieval
from app.featurestore.query.transfer import Transfer, TransferMode
from app.featurestore.vending.service import GroupName, VendingService
from infra.ports.tables import Snapshot
from tenancy.principals import RequestContext


class Transfers:
    """`presigned`: clients can reach the bucket. Smaller groups than `parts_from` bytes are quicker as a stream.

    From `direct_from` bytes on a client reads them itself, if it may have a credential; None: nobody may.
    """

    def __init__(
        self, *, vending: VendingService, is_local: bool, presigned: bool, parts_from: int, direct_from: int | None
    ) -> None:
        self.vending = vending
        self._is_local = is_local
        self._presigned = presigned
        self._parts_from = parts_from
        self._direct_from = direct_from

    @property
    def mode_of_files(self) -> TransferMode:
        """Where nothing is said about credentials."""
        return TransferMode.FILES if self._is_local else TransferMode.PRESIGNED

    def choose(self, context: RequestContext, retrieval: Retrieval) -> Transfer:
        why = self._why_stream(retrieval)
        if why is not None:
            return Transfer(TransferMode.STREAM, why)
        if self._is_local:
            return Transfer(TransferMode.FILES, "the warehouse is a directory of the gateway")
        why = self._why_not_direct(context, retrieval)
        if why is None:
            return Transfer(TransferMode.DIRECT, "the table is large and this key may read it in S3")
        return Transfer(TransferMode.PRESIGNED, why)

    def _why_stream(self, retrieval: Retrieval) -> str | None:
        why = _why_computed(retrieval.plan, retrieval.pinned)
        if why is not None:
            return why
        snapshot = retrieval.snapshots[0]
        if _bytes(snapshot) < self._parts_from:
            return "the group is small"
        if any(file.rows is None for file in snapshot.files):
            return "nobody knows how many rows a file of the table has"
        return None if self._is_local or self._presigned else "clients are kept away from the bucket"

    def _why_not_direct(self, context: RequestContext, retrieval: Retrieval) -> str | None:
        if self._direct_from is None:
            return "this gateway gives out no credentials"
        if _bytes(retrieval.snapshots[0]) < self._direct_from:
            return "the group is too small for a credential to pay"
        group = retrieval.plan.sources[0].group
        return self.vending.find_obstacle(context, GroupName(group.project, group.name, group.version))


def _why_computed(plan: LogicalPlan, pinned: tuple[PinnedTable, ...]) -> str | None:
    """Why the rows are not those of one table's files; None where they are."""
    if plan.labels is not None:
        return "features are attached to labels"
    if len(pinned) != 1:
        return "the rows are joined"
    if not isinstance(pinned[0].table, Snapshot):
        return "the rows are in a database of others"
    if any(column.name != column.feature for column in plan.columns):
        return "columns are called otherwise than in the table"
    return None


def _bytes(snapshot: Snapshot) -> int:
    return sum(file.bytes for file in snapshot.files)
