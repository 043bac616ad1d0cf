"""One alphabet for names: it rules out look-alikes, wildcards, quotes, slashes and dots at a stroke."""

import re

from infra.errors import InvalidInputError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_MEMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")


class NameNotValidError(InvalidInputError):
    """A name outside the alphabet."""

    code = "name-not-valid"
    title = "The name is not valid"


def is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def require_name(name: str, what: str) -> str:
    """A lower-case identifier of at most 63 characters; raises NameNotValidError proposing one that is close."""
    if is_name(name):
        return name
    proposal = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")[:63]
    raise NameNotValidError(
        f"{name[:80]!r} cannot name a {what}: use 1 to 63 of a-z, 0-9 and _, starting with a letter.",
        candidates=(proposal,) if is_name(proposal) else (),
    )


def require_member_name(name: str) -> str:
    """A user name or e-mail address."""
    if _MEMBER.fullmatch(name):
        return name
    raise NameNotValidError(f"{name[:80]!r} cannot name a member: use a user name or an e-mail address.")
