"""The resources of `/api/v1`."""

import flask_smorest
from flask import Flask

from app.api.documentation import register_documentation
from app.api.health import blp as health
from app.api.resources import (
    api_keys,
    connectors,
    expectations,
    feature_groups,
    identity,
    jobs,
    login,
    projects,
    queries,
    role_bindings,
    shares,
    sql,
    statistics,
    training_datasets,
    vending,
)

PREFIX = "/api/v1"
RESOURCES = (
    login,
    identity,
    projects,
    api_keys,
    role_bindings,
    shares,
    connectors,
    queries,
    sql,
    feature_groups,
    vending,
    training_datasets,
    statistics,
    expectations,
    jobs,
)


def register_api(app: Flask) -> None:
    app.config.update(
        API_TITLE="Oasthouse",
        API_VERSION="v1",
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX=None,
    )
    api = flask_smorest.Api(app)
    for resource in RESOURCES:
        api.register_blueprint(resource.blp, url_prefix=PREFIX)
    app.register_blueprint(health)
    register_documentation(app, api)
