"""For load balancers: does the process run, can it serve. Anonymous, hence without reasons."""

import structlog
from flask import Blueprint, Response, jsonify

from app.readiness import find_faults
from app.web.state import current_container

blp = Blueprint("health", __name__)
_log = structlog.get_logger(__name__)


@blp.get("/livez")
def livez() -> Response:
    return jsonify(status="alive")


@blp.get("/readyz")
def readyz() -> Response:
    faults = find_faults(current_container())
    for fault in faults:
        _log.error("not ready", fault=fault.what, reason=fault.reason)
    response = jsonify(status="not ready" if faults else "ready")
    response.status_code = 503 if faults else 200
    return response
