"""Use cases around credentials that are given out: one function gives them, and it asks everything in one order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.featurestore.feature_groups.models import CACHED, FeatureGroup
from app.featurestore.feature_groups.registration import require_stored
from app.featurestore.feature_groups.repository import FeatureGroupRepository
from app.featurestore.locations.models import Location, LocationState
from app.featurestore.vending.errors import VendingOffError
from app.featurestore.vending.models import ProjectVending
from app.featurestore.vending.proof import ProofInfo, Proofs
from infra.clock import Clock
from infra.database.unit_of_work import Database
from infra.errors import ConflictError, GatewayError
from infra.ports.vending import Credential, Level, Wanted
from infra.ports.warehouses import MARK
from tenancy.access import Access, Authorizer
from tenancy.actions import Action
from tenancy.audit.service import AuditLog
from tenancy.principals import Principal, RequestContext

SHORTEST: Final = timedelta(minutes=15)
"""STS gives nothing shorter."""
_UNENDING: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class ProjectVendingInfo:
    """`enabled` is the project's own switch. `why` says why nothing is given out although it is on; empty where it is."""

    enabled: bool
    why: str
    changed_by: str | None
    changed_at: datetime | None
    proof: ProofInfo | None


@dataclass(frozen=True)
class GroupName:
    """Of which project, and which of its groups."""

    project: str
    name: str
    version: int


@dataclass(frozen=True)
class VendedPlace:
    """Where a group's table lies, and what reads it; several may be read with one."""

    group: GroupName
    uri: str
    credential: Credential


@dataclass(frozen=True)
class _Decided:
    access: Access
    group: GroupName
    location: str
    ends: datetime


class VendingService:
    def __init__(
        self, *, database: Database, authorizer: Authorizer, audit: AuditLog, clock: Clock, proofs: Proofs, seconds: int
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._audit = audit
        self._clock = clock
        self._proofs = proofs
        self._seconds = seconds

    def vend(self, context: RequestContext, groups: Sequence[GroupName], level: Level) -> list[VendedPlace]:
        """Decide, load the locations, check what is around them, write it down, and only then mint.

        What is written down first may turn out not to be minted; nothing is minted that is not written down. As few credentials
        as their policies have room for.
        """
        decided = [self._decide(context.principal, group) for group in groups]
        minter = self._proofs.require()
        together = _together(decided, lambda locations: minter.fits(locations, level))
        wanted = [(each, self._wanted(context.principal, each, level)) for each in together]
        for each, one in wanted:
            self._record(context, each, one, minter.fingerprint(one))
        minted = [(each, minter.mint(one, context.request_id)) for each, one in wanted]
        return [
            VendedPlace(one.group, uri, credential)
            for each, credential in minted
            for one, uri in zip(each, credential.uris, strict=True)
        ]

    def vend_staging(self, context: RequestContext, group: GroupName, location: str) -> VendedPlace:
        """To put files at `location`, which whoever asks has claimed for this group and this caller; in the same order."""
        decided = self._decide_staging(context.principal, group, location)
        minter = self._proofs.require(Level.STAGE)
        wanted = self._wanted(context.principal, [decided], Level.STAGE)
        self._record(context, [decided], wanted, minter.fingerprint(wanted))
        credential = minter.mint(wanted, context.request_id)
        return VendedPlace(group, credential.uris[0], credential)

    def find_staging_obstacle(self, context: RequestContext, group: GroupName) -> str | None:
        """Why `vend_staging` would refuse this caller; None where it would not."""
        try:
            self._decide_staging(context.principal, group, "")
            self._proofs.require(Level.STAGE)
        except GatewayError as error:
            return error.detail
        return None

    def find_obstacle(self, context: RequestContext, group: GroupName) -> str | None:
        """Why `vend` would refuse this caller; None where it would not."""
        try:
            self._decide(context.principal, group)
            self._proofs.require()
        except GatewayError as error:
            return error.detail
        return None

    def get(self, context: RequestContext, project: str) -> ProjectVendingInfo:
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.PROJECT_READ, project)
            found = session.get(ProjectVending, access.project_id)
        return self._info(found)

    def set(self, context: RequestContext, project: str, *, enabled: bool) -> ProjectVendingInfo:
        """The project's switch, off until a data owner turns it on. Credentials given out before live on to their end."""
        with self._database.write() as uow:
            access = self._authorizer.require(uow.session, context.principal, Action.VENDING_SET, project)
            found = uow.session.merge(
                ProjectVending(
                    project_id=access.project_id,
                    enabled=enabled,
                    changed_at=self._clock.now(),
                    changed_by=context.principal.name,
                )
            )
            uow.flush_or(ConflictError("Somebody else turned it on or off a moment ago."))
            self._audit.record(
                uow.session,
                context,
                Action.VENDING_SET,
                project_id=access.project_id,
                subject=access.project,
                enabled=enabled,
            )
            uow.commit()
        return self._info(found)

    def _decide(self, principal: Principal, group: GroupName) -> _Decided:
        with self._database.read() as session:
            access = self._authorizer.require(session, principal, Action.DATA_VEND, group.project)
            # A credential reads rows, so a key that reads none gets none. Rules that hide rows or columns would have to be
            # asked about here: a credential hides neither.
            self._authorizer.require(session, principal, Action.FEATURE_GROUP_READ_ROWS, group.project)
            found = FeatureGroupRepository(session).get(access.project_id, group.name, group.version)
            location = _location(session, access, found)
            _require_switch(session, access)
        ends = _ends(principal, access)
        self._left(ends)
        return _Decided(access, group, location, ends)

    def _decide_staging(self, principal: Principal, group: GroupName, location: str) -> _Decided:
        with self._database.read() as session:
            self._authorizer.require(session, principal, Action.FEATURE_GROUP_INSERT, group.project)
            access = self._authorizer.require(session, principal, Action.DATA_VEND, group.project)
            found = require_stored(FeatureGroupRepository(session).get(access.project_id, group.name, group.version))
            _require_in_own_warehouse(found.location)
            _require_switch(session, access)
        ends = _ends(principal, access)
        self._left(ends)
        return _Decided(access, group, location, ends)

    def _left(self, ends: datetime) -> timedelta:
        left = ends - self._clock.now()
        if left < SHORTEST:
            raise VendingOffError(
                "The API key or the share ends in less than 15 minutes, and no credential is shorter.",
                hint="The rows can be had through the gateway until then.",
            )
        return left

    def _wanted(self, principal: Principal, decided: Sequence[_Decided], level: Level) -> Wanted:
        ends = min(each.ends for each in decided)
        # In whole minutes, so that of two requests one credential can come.
        seconds = min(self._longest(principal), self._left(ends) // timedelta(minutes=1) * 60)
        locations = tuple(each.location for each in decided)
        return Wanted(locations, level, principal.project or "", principal.key_id, seconds, ends)

    def _longest(self, principal: Principal) -> int:
        # A session that leaks ends within minutes, and shall be worth little more.
        return self._seconds if principal.binding_id is None else SHORTEST.seconds

    def _record(self, context: RequestContext, decided: Sequence[_Decided], wanted: Wanted, policy: str) -> None:
        with self._database.write() as uow:
            for each in decided:
                self._audit.record(
                    uow.session,
                    context,
                    Action.DATA_VEND,
                    project_id=each.access.project_id,
                    subject=f"{each.group.name} version {each.group.version}",
                    level=wanted.level.value,
                    location=each.location,
                    grant=each.access.grant,
                    seconds=wanted.seconds,
                    policy=policy,
                )
            uow.commit()

    def _info(self, found: ProjectVending | None) -> ProjectVendingInfo:
        # Before the proof is looked up, because this may make it.
        why = self._obstacle_of_all() if found is not None and found.enabled else ""
        proof = self._proofs.find()
        if found is None:
            return ProjectVendingInfo(enabled=False, why="", changed_by=None, changed_at=None, proof=proof)
        return ProjectVendingInfo(found.enabled, why, found.changed_by, found.changed_at, proof)

    def _obstacle_of_all(self) -> str:
        try:
            self._proofs.require()
        except GatewayError as error:
            return error.detail
        return ""


def _ends(principal: Principal, access: Access) -> datetime:
    """When what lets the caller in is over. Not so a session: it goes on for as long as its role is bound.

    By itself it is over sooner than any credential, so whoever logged in without a key would never be given one.
    """
    ends = principal.expires_at if principal.binding_id is None else None
    return min(filter(None, (ends, access.expires_at)), default=_UNENDING)


def _together(decided: Sequence[_Decided], fit: Callable[[Sequence[str]], bool]) -> list[list[_Decided]]:
    """Those that one credential has room for, one after the other; each by itself at least."""
    found: list[list[_Decided]] = []
    for one in decided:
        if found and fit([*(each.location for each in found[-1]), one.location]):
            found[-1].append(one)
        else:
            found.append([one])
    return found


def _require_in_own_warehouse(location: str) -> None:
    """The role that credentials are made of is for that one; and rows of a project with another one are not to be in it."""
    if location.startswith(MARK):
        raise VendingOffError(
            "The table lies in the project's own warehouse.", hint="Its rows go through the gateway, both ways."
        )


def _location(session: Session, access: Access, group: FeatureGroup) -> str:
    """The group's, which the gateway chose and nobody can change; VendingOffError for any other."""
    if group.kind != CACHED:
        raise VendingOffError("The rows of this feature group are not in the warehouse.", hint="Read its rows.")
    _require_in_own_warehouse(group.location)
    location = session.get(Location, group.location)
    owner, _, table = group.location.partition("/")
    is_own = owner == str(access.project_id) and bool(table) and "/" not in table
    # A store that does not tell capitals apart must not be given a reason to.
    is_plain = group.location == group.location.lower()
    if location is None or location.state != LocationState.LIVE.value or not (is_own and is_plain):
        raise VendingOffError("This feature group lies where no credentials are given out for.", hint="Read its rows.")
    return group.location


def _require_switch(session: Session, access: Access) -> None:
    found = session.get(ProjectVending, access.project_id)
    if found is None or not found.enabled:
        raise VendingOffError(
            f"Project {access.project!r} gives out no credentials for its tables.",
            hint="Its data owners can turn that on: `oast project vending`. The rows can be had through the gateway.",
        )
