"""What a role may be bound with. Pure."""

from collections.abc import Sequence

from infra.errors import InvalidInputError
from tenancy.scopes import Scope

BINDING_SCOPES = (Scope.FEATURESTORE, Scope.PROJECT_READ)
"""Those of a binding that asks for none: a notebook's work."""
NEVER_BOUND = (Scope.OPERATOR, Scope.KEYS_MANAGE)


def require_binding_scopes(scopes: Sequence[Scope]) -> None:
    """A role makes no keys: a key would live on after the role was unbound."""
    if not scopes:
        raise InvalidInputError("A role without scopes can do nothing.", hint="Leave `scopes` out for the usual ones.")
    refused = [scope.value for scope in scopes if scope in NEVER_BOUND]
    if refused:
        raise InvalidInputError(
            f"A role is never given {', '.join(refused)}.",
            candidates=[scope.value for scope in Scope if scope not in NEVER_BOUND],
        )
