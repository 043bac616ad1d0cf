"""What an API key may be used for. A coarse scope of the original clients contains the finer ones below it."""

from collections.abc import Iterable
from enum import StrEnum


class Scope(StrEnum):
    FEATURESTORE = "featurestore"
    FEATURESTORE_BROWSE = "featurestore:browse"
    FEATURESTORE_READ = "featurestore:read"
    FEATURESTORE_WRITE = "featurestore:write"
    FEATURESTORE_MANAGE = "featurestore:manage"
    PROJECT = "project"
    PROJECT_READ = "project:read"
    PROJECT_MEMBERS = "project:members"
    PROJECT_SHARES = "project:shares"
    # Not below `featurestore`: who holds a credential reads without asking the gateway again.
    DATA_VEND = "data:vend"
    # Not below `project`: a notebook's key must not be able to make further keys.
    KEYS_MANAGE = "keys:manage"
    OPERATOR = "operator"


CONTAINS: dict[Scope, frozenset[Scope]] = {
    Scope.FEATURESTORE: frozenset(
        {Scope.FEATURESTORE_BROWSE, Scope.FEATURESTORE_READ, Scope.FEATURESTORE_WRITE, Scope.FEATURESTORE_MANAGE}
    ),
    Scope.PROJECT: frozenset({Scope.PROJECT_READ, Scope.PROJECT_MEMBERS, Scope.PROJECT_SHARES}),
}

DEFAULT_SCOPES = (Scope.FEATURESTORE, Scope.PROJECT)


def expand(scopes: Iterable[Scope]) -> frozenset[Scope]:
    """Every scope that `scopes` amount to, themselves included."""
    return frozenset(part for scope in scopes for part in {scope, *CONTAINS.get(scope, ())})
