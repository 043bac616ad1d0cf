"""Revisions as entity tags: what somebody else changed meanwhile is not overwritten."""

import re
from typing import Any

from flask import Response, after_this_request, request

from infra.errors import ErrorKind, InvalidInputError

_REVISION = re.compile(r'"(\d{1,9})"')


class EntityTagNotValidError(InvalidInputError):
    """If-Match carries something that this API never answered as ETag."""

    code = "entity-tag-not-valid"
    kind = ErrorKind.MALFORMED
    title = "The entity tag is not valid"


def expected_revision() -> int | None:
    """The revision that If-Match insists on; None where any will do."""
    tag = request.headers.get("If-Match")
    if tag is None or tag.strip() == "*":
        return None
    match = _REVISION.fullmatch(tag.strip())
    if match is None:
        raise EntityTagNotValidError("If-Match takes an ETag that this resource answered.")
    return int(match[1])


def note_revision(answer: Any) -> None:
    """Give the answer's revision as the ETag of the response, where it has one."""
    revision = getattr(answer, "revision", None)
    if revision is None:
        return

    @after_this_request
    def tag(response: Response) -> Response:
        response.headers["ETag"] = f'"{revision}"'
        return response
