"""Inserts whose rows a client puts into S3 itself: where it may, and what becomes of them.

A staging is a claimed location: nothing names it, so that no table has it, and what is left of it goes like any dead claim.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from app.featurestore.feature_groups.registration import require_stored
from app.featurestore.feature_groups.repository import FeatureGroupRepository
from app.featurestore.feature_groups.service import FeatureGroupService, InsertInfo
from app.featurestore.locations.models import Location, LocationState
from app.featurestore.locations.service import Locations
from app.featurestore.query.transfer import Transfer, TransferMode
from app.featurestore.staging.errors import StagingNotFoundError
from app.featurestore.staging.files import StagedRows, StagingLimits, fetched
from app.featurestore.vending.service import GroupName, VendedPlace, VendingService
from infra.clock import Clock
from infra.database.unit_of_work import Database
from infra.errors import ErrorKind, GatewayError
from infra.ports.storage import ObjectStore
from infra.ports.tables import WriteMode
from infra.ports.vending import STAGING_PREFIX
from tenancy.access import Access, Authorizer
from tenancy.actions import Action
from tenancy.principals import Principal, RequestContext

_OPEN: Final = timedelta(hours=12)
"""So long credentials for it are renewed; half of what a claim lives, so that none outlives its place."""
_UUID: Final = 36
_MISTAKES: Final = frozenset({ErrorKind.INVALID, ErrorKind.MALFORMED, ErrorKind.TOO_LARGE})


@dataclass(frozen=True)
class Staging:
    """How the rows of an insert are to travel. Unless that is `direct`, there is no place for them."""

    transfer: Transfer
    id: UUID | None = None
    place: VendedPlace | None = None


class StagingService:
    """From `direct_from` bytes on a client puts rows into S3 itself, if it may; None: nobody may."""

    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        clock: Clock,
        vending: VendingService,
        groups: FeatureGroupService,
        locations: Locations,
        store: ObjectStore,
        limits: StagingLimits,
        direct_from: int | None,
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._clock = clock
        self._vending = vending
        self._groups = groups
        self._locations = locations
        self._store = store
        self._limits = limits
        self._direct_from = direct_from

    def begin(self, context: RequestContext, group: GroupName, size: int) -> Staging:
        """Whether `size` bytes are to be put into S3, and where, with what; else why not."""
        with self._database.read() as session:
            access = self._require(session, context.principal, group)
        why = self._why_not(context, group, size)
        if why is not None:
            return Staging(Transfer(TransferMode.STREAM, why))
        location = self._locations.claim(access.project_id, in_own=True, prefix=_prefix(context.principal, group))
        try:
            place = self._vending.vend_staging(context, group, location)
        except GatewayError as error:
            self._locations.abandon(location)
            return Staging(Transfer(TransferMode.STREAM, error.detail))
        transfer = Transfer(TransferMode.DIRECT, "the rows are many and this key may put them into S3")
        return Staging(transfer, UUID(location[-_UUID:]), place)

    def renew(self, context: RequestContext, group: GroupName, staging: UUID) -> Staging:
        """Another credential for the same place. Raises whatever speaks against one now."""
        location = self._find(context, group, staging, _OPEN)
        place = self._vending.vend_staging(context, group, location)
        return Staging(Transfer(TransferMode.DIRECT, "it was begun so"), staging, place)

    def insert(self, context: RequestContext, group: GroupName, mode: WriteMode, staged: StagedRows) -> InsertInfo:
        """As an insert of the same rows in one frame; the files are gone afterwards.

        Those of an insert that may have had an effect stay: the same request comes again, and has to find them.
        """
        location = self._find(context, group, staged.staging)
        try:
            with fetched(self._store, location, staged, self._limits) as frame:
                info = self._groups.insert(context, group.project, group.name, group.version, mode, frame)
        except GatewayError as error:
            if error.kind in _MISTAKES:
                self._locations.remove(location)
            raise
        # The claim stays until it is a day old: a credential may still be good for minutes, and what it puts there goes then.
        self._locations.remove(location)
        return info

    def _why_not(self, context: RequestContext, group: GroupName, size: int) -> str | None:
        if self._direct_from is None:
            return "this gateway gives out no credentials"
        if size < self._direct_from:
            return "the rows are too few for a credential to pay"
        return self._vending.find_staging_obstacle(context, group)

    def _require(self, session: Session, principal: Principal, group: GroupName) -> Access:
        access = self._authorizer.require(session, principal, Action.FEATURE_GROUP_INSERT, group.project)
        require_stored(FeatureGroupRepository(session).get(access.project_id, group.name, group.version))
        return access

    def _find(self, context: RequestContext, group: GroupName, staging: UUID, open_for: timedelta | None = None) -> str:
        """Where it is: of this project, group and member alone; any other is as one that never was."""
        with self._database.read() as session:
            access = self._require(session, context.principal, group)
            path = f"{access.project_id}/{_prefix(context.principal, group)}{staging}"
            location = session.get(Location, path)
            found = location is not None and location.state == LocationState.CLAIMED.value
            since = location.changed_at if location is not None else self._clock.now()
        if not found or (open_for is not None and since < self._clock.now() - open_for):
            raise StagingNotFoundError(
                "This feature group has no such staging of yours.", hint="Ask for one, or send the rows themselves."
            )
        return path


def _prefix(principal: Principal, group: GroupName) -> str:
    """Of the member and not of the key: an insert goes on when its key was rotated in between."""
    whose = f"{principal.project_id}\n{principal.member_id}\n{group.project}\n{group.name}\n{group.version}"
    return f"{STAGING_PREFIX}{hashlib.sha256(whose.encode()).hexdigest()[:16]}-"
