"""States of tables that manifests name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.featurestore.feature_groups.errors import FeatureGroupNotFoundError
from app.featurestore.feature_groups.models import ON_DEMAND
from app.featurestore.feature_groups.repository import FeatureGroupRepository
from app.featurestore.training_datasets.errors import NotReproducibleError
from infra.database.unit_of_work import Database
from infra.errors import NotFoundError
from infra.ports.tables import Snapshot, TableStore
from tenancy.access import Access, Authorizer
from tenancy.actions import Action
from tenancy.principals import RequestContext


@dataclass(frozen=True)
class RecordedStates:
    """Finds them again, for who may read them still."""

    database: Database
    authorizer: Authorizer
    tables: TableStore

    def require(self, context: RequestContext, groups: Sequence[Mapping[str, Any]]) -> dict[UUID, Snapshot]:
        """By id of the group. Raises NotReproducibleError, which says which one is gone."""
        with self.database.read() as session:
            accesses = self.authorizer.accesses(session, context.principal, Action.FEATURE_GROUP_READ_ROWS)
            projects = {access.project: access for access in accesses}
            repository = FeatureGroupRepository(session)
            locations = {UUID(group["id"]): _location(repository, projects, group) for group in groups}
        return {UUID(group["id"]): self._snapshot(locations[UUID(group["id"])], group) for group in groups}

    def _snapshot(self, location: str, group: Mapping[str, Any]) -> Snapshot:
        try:
            return self.tables.snapshot(location, group["table_version"])
        except NotFoundError as error:
            raise _gone(group, f"version {group['table_version']} of its table is gone") from error


def _location(repository: FeatureGroupRepository, projects: Mapping[str, Access], recorded: Mapping[str, Any]) -> str:
    access = projects.get(recorded["project"])
    if access is None:
        raise _gone(recorded, "its feature store is not shared any more")
    try:
        group = repository.get(access.project_id, recorded["name"], recorded["version"])
    except FeatureGroupNotFoundError as error:
        raise _gone(recorded, "it was deleted") from error
    if str(group.id) != recorded["id"]:
        raise _gone(recorded, "it was deleted, and what is called so now is another one")
    if group.kind == ON_DEMAND or recorded["table_version"] is None:
        raise _gone(recorded, "it is on demand, and what its source held then is not kept")
    return group.location


def _gone(group: Mapping[str, Any], why: str) -> NotReproducibleError:
    return NotReproducibleError(
        f"Feature group {group['name']!r} version {group['version']} of {group['project']!r} is not as it was: {why}.",
        hint="Create a training dataset from the features as they are now.",
    )
