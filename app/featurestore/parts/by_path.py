"""A plan whose tables a program reads by path, with credentials for them."""

from dataclasses import dataclass
from uuid import UUID

from app.featurestore.query.lowering import to_sql
from app.featurestore.query.service import Retrieval
from app.featurestore.query.trees import table_name
from app.featurestore.vending.service import GroupName, VendedPlace, VendingService
from infra.errors import InvalidInputError
from infra.ports.tables import Snapshot
from infra.ports.vending import Credential, Level
from tenancy.principals import RequestContext


@dataclass(frozen=True)
class TableByPath:
    """A view `name` has to hold version `table_version` of the Delta table at `uri`, which `credential` of the plan reads."""

    name: str
    project: str
    feature_group: str
    version: int
    table_version: int
    uri: str
    credential: int


@dataclass(frozen=True)
class PlanByPath:
    """`sql` is Spark's, over the views."""

    sql: str
    tables: list[TableByPath]
    credentials: list[Credential]


def plan_by_path(context: RequestContext, retrieval: Retrieval, query_id: UUID, vending: VendingService) -> PlanByPath:
    """Views share a prefix that no other plan has. Raises what `vend` does, of the first group that it refuses."""
    if retrieval.plan.labels is not None or len(retrieval.snapshots) < len(retrieval.pinned):
        # With labels a plan asks when rows were written, which no table tells by path.
        raise InvalidInputError(
            "Only features of groups in the warehouse, without labels, can be read by path.", hint="Ask for the rows."
        )
    groups = [GroupName(each.group.project, each.group.name, each.group.version) for each in retrieval.plan.sources]
    places = vending.vend(context, groups, Level.READ)
    credentials = list(dict.fromkeys(place.credential for place in places))
    prefix = f"oasthouse_{query_id.hex[-12:]}__"
    rows = zip(retrieval.plan.sources, retrieval.snapshots, places, strict=True)
    tables = [
        _table(f"{prefix}{table_name(source)}", snapshot, place, credentials.index(place.credential))
        for source, snapshot, place in rows
    ]
    return PlanByPath(to_sql(retrieval.plan, "spark", prefix=prefix), tables, credentials)


def _table(name: str, snapshot: Snapshot, place: VendedPlace, credential: int) -> TableByPath:
    group = place.group
    return TableByPath(name, group.project, group.name, group.version, snapshot.version, place.uri, credential)
