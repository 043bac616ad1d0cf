"""The one decision: may this principal do this to something of that project, now?

Pure and closed: no I/O, and whatever no rule allows is refused. The order of the questions is part of the contract:
what is asked before the shares does not depend on the thing asked for, so a refusal tells nothing about it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tenancy.actions import RULES, Action, Rule, ShareKind
from tenancy.principals import Principal


class Verdict(StrEnum):
    ALLOWED = "allowed"
    UNAUTHENTICATED = "unauthenticated"
    SCOPE_MISSING = "scope-missing"
    ROLE_TOO_LOW = "role-too-low"
    FORBIDDEN = "forbidden"
    NOT_SHARED = "not-shared"
    INVISIBLE = "invisible"


@dataclass(frozen=True)
class Grant:
    """An accepted share towards the principal's project, as the policy needs it."""

    share_id: UUID
    owner_project_id: UUID
    what: ShareKind
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Decision:
    """`grant` says in words what allowed it: `own project`, `share <id>` or `operator`.

    `expires_at` is when that ends by itself, None where it does not.
    """

    verdict: Verdict
    grant: str = ""
    expires_at: datetime | None = None

    @property
    def is_allowed(self) -> bool:
        return self.verdict is Verdict.ALLOWED


def decide(
    principal: Principal, action: Action, project_id: UUID | None, grants: Collection[Grant], now: datetime
) -> Decision:
    """Decide on `action` in project `project_id`; None stands for the server itself."""
    rule = RULES[action]
    refusal = refuse_key(principal, action, now)
    if refusal is not None:
        return Decision(refusal)
    if principal.is_operator:
        return Decision(Verdict.ALLOWED, "operator")
    if project_id is None or project_id == principal.project_id:
        return Decision(Verdict.ALLOWED, "own project")
    alive = [g for g in grants if g.owner_project_id == project_id and (g.expires_at is None or g.expires_at > now)]
    return _decide_by_share(rule, alive)


def refuse_key(principal: Principal, action: Action, now: datetime) -> Verdict | None:
    """The part of the decision that needs no resource: the key's life, its scopes and its member's role."""
    rule = RULES[action]
    if principal.expires_at <= (principal.asked_at or now):
        return Verdict.UNAUTHENTICATED
    if principal.is_operator:
        return None if rule.operator else Verdict.SCOPE_MISSING
    if rule.scope is not None and rule.scope not in principal.scopes:
        return Verdict.SCOPE_MISSING
    if principal.role is None or principal.role < rule.role:
        return Verdict.ROLE_TOO_LOW
    return None


def _decide_by_share(rule: Rule, grants: Collection[Grant]) -> Decision:
    for grant in grants:
        if grant.what in rule.shared_by:
            return Decision(Verdict.ALLOWED, f"share {grant.share_id}", grant.expires_at)
    if not grants:
        return Decision(Verdict.INVISIBLE)
    return Decision(Verdict.NOT_SHARED if rule.shared_by else Verdict.FORBIDDEN)
