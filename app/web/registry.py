"""Every route names an action, or is one of the few that are public. Otherwise the gateway does not start."""

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Flask

from app.web.blueprint import MARK, Operation

PUBLIC_ENDPOINTS = frozenset(
    {
        "health.livez",
        "health.readyz",
        "documentation.openapi",
        "documentation.page",
        "documentation.static",
        # Where a principal comes from; it asks everything itself.
        "login.AwsLogin",
    }
)
_AUTOMATIC = frozenset({"HEAD", "OPTIONS"})


class RouteNotRegisteredError(Exception):
    """A route without an action: nobody would be asked whether the caller may use it."""


@dataclass(frozen=True)
class Route:
    method: str
    rule: str
    endpoint: str
    operation: Operation


def registered_routes(app: Flask) -> Iterator[Route]:
    """Every route that is not public; raises RouteNotRegisteredError on one without an action."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint in PUBLIC_ENDPOINTS:
            continue
        view = app.view_functions[rule.endpoint]
        view_class = getattr(view, "view_class", None)
        for method in sorted((rule.methods or set()) - _AUTOMATIC):
            handler = getattr(view_class, method.lower(), view)
            operation = getattr(handler, MARK, None)
            if operation is None:
                raise RouteNotRegisteredError(f"{method} {rule.rule} names no action: declare it with blp.operation().")
            yield Route(method, rule.rule, rule.endpoint, operation)
