"""Makes the WSGI application."""

from flask import Flask

from app.api.routes import register_api
from app.bootstrap import build_container
from app.container import Container
from app.settings import Settings
from app.web.bodies import MAX_JSON_BYTES, close_spools
from app.web.clients import EXTENSION as CLIENTS
from app.web.clients import Clients
from app.web.problems import register_problems
from app.web.registry import registered_routes
from app.web.requests import register_requests
from app.web.state import EXTENSION
from infra.ids import new_id
from infra.observability.logs import configure_logs


def create_app(settings: Settings | None = None, container: Container | None = None) -> Flask:
    """The gateway as a Flask application; raises RouteNotRegisteredError where a route names no action."""
    if container is None:
        settings = settings or Settings()
        configure_logs(settings.log_level)
        container = build_container(settings)
    app = Flask("oasthouse", static_folder=None)
    app.extensions[EXTENSION] = container
    app.extensions[CLIENTS] = Clients(container.settings.server)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the order of fields is part of the documentation
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_JSON_BYTES
    register_requests(app, new_id)
    register_api(app)
    register_problems(app)
    app.teardown_request(close_spools)
    app.extensions[f"{EXTENSION}.routes"] = list(registered_routes(app))
    return app
