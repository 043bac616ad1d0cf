"""For load balancers: does the process run, can it serve. Anonymous, hence without reasons."""

import time

import structlog
from flask import Blueprint, Response, current_app, jsonify

from app.readiness import Fault, find_faults
from app.web.state import current_container

blp = Blueprint("health", __name__)
_FRESH_SECONDS = 5.0
_CHECKED = "oasthouse.checked"
_log = structlog.get_logger(__name__)


@blp.get("/livez")
def livez() -> Response:
    return jsonify(status="alive")


@blp.get("/readyz")
def readyz() -> Response:
    faults = _recent_faults(time.monotonic())
    response = jsonify(status="not ready" if faults else "ready")
    response.status_code = 503 if faults else 200
    return response


def _recent_faults(now: float) -> list[Fault]:
    """Checked at most every few seconds: anybody may ask, and a check writes to the warehouse."""
    checked: tuple[float, list[Fault]] | None = current_app.extensions.get(_CHECKED)
    if checked is not None and now - checked[0] < _FRESH_SECONDS:
        return checked[1]
    faults = find_faults(current_container())
    for fault in faults:
        _log.error("not ready", fault=fault.what, reason=fault.reason)
    current_app.extensions[_CHECKED] = (now, faults)
    return faults
