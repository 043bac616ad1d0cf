"""A training dataset that is made in the background: the same request, kept as a job."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ContextManager

from hops.featurestore.errors import InvalidInputError
from hops.featurestore.jobs import job_path
from hops.featurestore.metadata import FeatureGroup
from hops.featurestore.runs import JobRun
from hops.featurestore.session import Session
from hops.featurestore.transport import Request
from hops.featurestore.upload import command_request

KIND = "training_dataset"


def require_no_rows(**arguments: Any) -> None:
    """A job is kept and runs again: it holds no rows, only what names them."""
    for name, value in arguments.items():
        if value is not None and not (name == "spine" and isinstance(value, (str, FeatureGroup))):
            raise InvalidInputError(
                f"background=True: the rows in {name}= would have to be kept with the job.",
                hint="Leave out background=True, or put the rows into a feature group and name that.",
            )


def start_in_background(session: Session, making: ContextManager[Request]) -> JobRun:
    """Saves what the request would make as a job of its name, and starts it."""
    with making as request:
        assert isinstance(request.body, bytes), "rows were refused before"
        command: Mapping[str, Any] = json.loads(request.body)
    name = command["name"]
    session.send("PUT", job_path(session, name), {"kind": KIND, "arguments": command})
    return JobRun(session, session.transport.json(command_request(job_path(session, name, "runs"), {})))
