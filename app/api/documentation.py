"""The description of the API, and a page that shows it from vendored files."""

from pathlib import Path
from typing import Any

import flask_smorest
from flask import Blueprint, Flask, Response, jsonify, send_from_directory

from app.featurestore.feature_groups.frames import ARROW_STREAM, PARQUET
from app.web.parts import PARTS
from app.web.registry import Route, registered_routes
from tenancy.actions import RULES

_STATIC = Path(__file__).parent / "static"
# The page runs our vendored script and nothing else; its pictures are data: URLs.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_BINARY = {"type": "string", "format": "binary"}
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "example": "/problems/feature-group-not-found"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "hint": {"type": "string"},
        "candidates": {"type": "array", "items": {"type": "string"}},
        "errors": {"type": "array", "items": {"type": "object"}},
        "retryable": {"type": "boolean"},
    },
}


def register_documentation(app: Flask, api: flask_smorest.Api) -> None:
    """Freeze the description now, when every route is known."""
    description = describe(app, api)

    def openapi() -> Response:
        return jsonify(description)

    blp = Blueprint("documentation", __name__)
    blp.add_url_rule("/openapi.json", "openapi", openapi)
    blp.add_url_rule("/docs", "page", _page)
    blp.add_url_rule("/static/<path:path>", "static", _static)
    app.register_blueprint(blp, url_prefix="/api/v1")


def describe(app: Flask, api: flask_smorest.Api) -> dict[str, Any]:
    """flask-smorest's document, with what it does not know: problems, the key, frames and rows."""
    document: dict[str, Any] = api.spec.to_dict()
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "ApiKey": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`ApiKey oast_…`"},
        "Session": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "What a login answers."},
    }
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    document["security"] = [{"ApiKey": []}, {"Session": []}]
    for route in registered_routes(app):
        _complete(document["paths"][_template(route.rule)][route.method.lower()], route)
    for name, response in components.get("responses", {}).items():
        if name != "NOT_MODIFIED":
            response["content"] = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return document


def _complete(operation: dict[str, Any], route: Route) -> None:
    rule = RULES[route.operation.action]
    operation["summary"] = operation.get("summary") or route.operation.action.value
    scope = rule.scope.value if rule.scope else "any"
    operation["description"] = (
        f"Action `{route.operation.action}`: scope `{scope}`, role `{rule.role.label}` or higher."
    )
    if route.operation.takes_frame:
        content = operation.setdefault("requestBody", {"required": True, "content": {}})["content"]
        content.update({media: {"schema": dict(_BINARY)} for media in (ARROW_STREAM, PARQUET)})
    if route.operation.answers_rows:
        rows = {"schema": dict(_BINARY)}
        content = dict.fromkeys(_answered(route.rule), rows)
        operation.setdefault("responses", {})["200"] = {"description": "Rows", "content": content}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses = operation.setdefault("responses", {})
    for status, meaning in (("401", "No valid API key"), ("403", "Not permitted"), ("404", "Absent or invisible")):
        responses[status] = {"description": meaning, "content": problem}
    responses["default"] = {"description": "Any other problem", "content": problem}


def _answered(rule: str) -> tuple[str, ...]:
    """The media types of rows, by what addresses them."""
    if "/files/" in rule:
        return ("application/octet-stream",)
    if rule.endswith("/parts/<int:table_version>"):
        return (PARTS,)
    if "/parts/" in rule:
        return (PARQUET,)
    return (ARROW_STREAM, PARTS) if "/feature-groups/" in rule else (ARROW_STREAM,)


def _template(rule: str) -> str:
    """Flask's `/a/<int:b>` as OpenAPI's `/a/{b}`."""
    parts = rule.split("/")
    return "/".join("{" + part.strip("<>").rpartition(":")[2] + "}" if part.startswith("<") else part for part in parts)


def _page() -> Response:
    return _static("docs.html")


def _static(path: str) -> Response:
    response = send_from_directory(_STATIC, path)
    response.headers["Content-Security-Policy"] = _PAGE_POLICY
    response.headers["Cache-Control"] = "no-cache"
    return response
