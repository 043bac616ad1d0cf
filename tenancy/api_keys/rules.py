"""What keys may be made by whom. A key can only narrow: its scopes, its life and whose it is."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from infra.errors import InvalidInputError, NotPermittedError
from tenancy.api_keys.errors import KeyWiderThanCallerError
from tenancy.principals import Principal, Role
from tenancy.scopes import Scope, expand


def resolve_member_name(principal: Principal, asked: str | None) -> str:
    """Whose key it will be: the caller's own unless another member is named."""
    name = asked or principal.member
    if name is None:
        raise InvalidInputError("An operator has no membership: say whose key it is.", hint="Give `member`.")
    return name


def require_manages_key_of(principal: Principal, member: str | None) -> None:
    """Data owners manage every key of their project, others their own."""
    if principal.is_operator or principal.role is Role.DATA_OWNER or principal.member == member:
        return
    raise NotPermittedError("Only a data owner manages the keys of other members.")


def require_project_scopes(scopes: Sequence[Scope]) -> None:
    if not scopes:
        raise InvalidInputError("A key without scopes can do nothing.", hint="Leave `scopes` out for the usual ones.")
    if Scope.OPERATOR in scopes:
        raise InvalidInputError(
            "A project's key cannot be an operator's.", candidates=[s for s in Scope if s != "operator"]
        )


def require_no_wider(principal: Principal, scopes: Sequence[Scope]) -> None:
    missing = sorted(expand(scopes) - principal.scopes)
    if missing and not principal.is_operator:
        raise KeyWiderThanCallerError(f"Your key lacks {', '.join(missing)} and cannot give it to another.")


def resolve_expiry(principal: Principal, now: datetime, days: int | None, default_days: int) -> datetime:
    """When a new key ends: as asked, otherwise after the default, and never after the caller's own key."""
    wanted = now + timedelta(days=days if days is not None else default_days)
    if principal.is_operator or wanted <= principal.expires_at:
        return wanted
    if days is None:
        return principal.expires_at
    raise KeyWiderThanCallerError(
        f"Your own key ends on {principal.expires_at:%Y-%m-%d}; no key of it can live longer."
    )
