"""The feature groups that a statement's tables mean, out of what the caller was found to read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from app.featurestore.feature_groups.models import FeatureGroup
from app.featurestore.sql.naming import ReadableTable, group_and_version, unknown_store, unknown_table
from app.featurestore.sql.statement import TableRef
from tenancy.access import Access
from tenancy.projects.service import feature_store_name


@dataclass(frozen=True, eq=False)
class FoundTable:
    """A table as named, the group it means, and what lets the caller read that."""

    ref: TableRef
    group: FeatureGroup
    access: Access

    @property
    def store(self) -> str:
        return feature_store_name(self.access.project)


def find_tables(
    session: Session, refs: Sequence[TableRef], own_store: str, accesses: Sequence[Access]
) -> list[FoundTable]:
    """One for each of `refs`. Raises FeatureStoreNotFoundError and FeatureGroupNotFoundError.

    Only the projects of `accesses` are looked into, so that what the caller may not see is as absent as what is not there.
    """
    stores = {feature_store_name(access.project): access for access in accesses}
    for store in (own_store, *(ref.store for ref in refs if ref.store)):
        if store not in stores:
            raise unknown_store(store, list(stores))
    groups = _load(session, refs, accesses)
    return [_found(session, ref, own_store, stores, groups) for ref in refs]


_Key: TypeAlias = tuple[UUID, str, int]


def _found(
    session: Session,
    ref: TableRef,
    own_store: str,
    stores: Mapping[str, Access],
    groups: Mapping[_Key, FeatureGroup],
) -> FoundTable:
    store = ref.store or own_store
    access, named = stores[store], group_and_version(ref.name)
    group = groups.get((access.project_id, *named)) if named is not None else None
    if group is None:
        raise unknown_table(ref, store, _all_tables(session, stores))
    return FoundTable(ref, group, access)


def _load(session: Session, refs: Sequence[TableRef], accesses: Sequence[Access]) -> dict[_Key, FeatureGroup]:
    named = [name for name in (group_and_version(ref.name) for ref in refs) if name is not None]
    query = select(FeatureGroup).where(
        FeatureGroup.project_id.in_([access.project_id for access in accesses]),
        tuple_(FeatureGroup.name, FeatureGroup.version).in_(named),
    )
    return {(group.project_id, group.name, group.version): group for group in session.scalars(query)}


def _all_tables(session: Session, stores: Mapping[str, Access]) -> list[ReadableTable]:
    """For near misses only: of a large registry this is much."""
    names = {access.project_id: store for store, access in stores.items()}
    query = select(FeatureGroup.project_id, FeatureGroup.name, FeatureGroup.version)
    rows = session.execute(query.where(FeatureGroup.project_id.in_(names)))
    return sorted(ReadableTable(names[row.project_id], row.name, row.version) for row in rows)
