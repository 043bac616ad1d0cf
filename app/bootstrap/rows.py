"""Rows that people ask for: queries, SQL, parts, feature groups on demand, and credentials to read them with."""

from dataclasses import dataclass

from app.bootstrap.parts import Parts
from app.featurestore.connectors.sql import SqlReader
from app.featurestore.feature_groups.on_demand import OnDemandSources
from app.featurestore.parts.service import PartService
from app.featurestore.parts.transfers import Transfers
from app.featurestore.query.service import QueryService
from app.featurestore.sql.service import SqlService
from app.featurestore.sql.tables import StoredTables
from app.featurestore.vending.proof import Proofs
from app.featurestore.vending.service import VendingService
from infra.ids import new_id
from infra.ports.engine import QueryLimits
from infra.ports.vending import Minter
from infra.storage.vending import StsMinter


@dataclass(frozen=True)
class Rows:
    on_demand: OnDemandSources
    queries: QueryService
    sql: SqlService
    parts: PartService
    vending: VendingService
    vending_proofs: Proofs


def build_rows(parts: Parts, reader: SqlReader) -> Rows:
    settings, on_demand = parts.settings, OnDemandSources(reader=reader)
    proofs = Proofs(database=parts.database, minter=_minter(parts), clock=parts.clock)
    vending = VendingService(**parts.writing, proofs=proofs, seconds=settings.vending.seconds)
    return Rows(
        on_demand=on_demand,
        queries=QueryService(**parts.reading, tables=parts.tables, engine=parts.engine, on_demand=on_demand),
        sql=SqlService(
            **parts.reading,
            tables_of=StoredTables(tables=parts.tables, on_demand=on_demand),
            engine=parts.engine,
            limits=QueryLimits(**settings.sql.model_dump()),
        ),
        parts=PartService(
            **parts.reading,
            tables=parts.tables,
            store=parts.store,
            clock=parts.clock,
            presigned_seconds=settings.warehouse.presigned_seconds,
            ids=new_id,
            direct_reads=settings.warehouse.direct_reads,
            transfers=Transfers(
                vending=vending,
                is_local=not parts.warehouse.is_s3,
                presigned=settings.warehouse.presigned_seconds > 0,
                parts_from=settings.results.parts_from_bytes,
                direct_from=settings.vending.from_bytes if settings.vending.role else None,
            ),
        ),
        vending=vending,
        vending_proofs=proofs,
    )


def _minter(parts: Parts) -> Minter | None:
    settings = parts.settings.vending
    if settings.role is None:
        return None
    return StsMinter(
        parts.warehouse,
        role_arn=settings.role,
        clock=parts.clock,
        region=settings.region,
        endpoint_url=settings.endpoint_url,
    )
