"""Reads what STS says, as if it came from an enemy: one form, small, without any of XML's devices."""

import xml.etree.ElementTree as ET
from typing import Final

from infra.ports.identity import CallerIdentity, IdentityUnavailableError

NAMESPACE: Final = "{https://sts.amazonaws.com/doc/2011-06-15/}"
_ROOT: Final = f"{NAMESPACE}GetCallerIdentityResponse"
_RESULT: Final = f"{NAMESPACE}GetCallerIdentityResult"
_MEDIA: Final = frozenset({"text/xml", "application/xml"})


def read_identity(content_type: str, body: bytes) -> CallerIdentity:
    """Raises IdentityUnavailableError for everything but the one answer that STS gives."""
    if content_type.partition(";")[0].strip().lower() not in _MEDIA:
        raise not_understood()
    root = _parse(body)
    if root.tag != _ROOT or len(root.findall(_RESULT)) != 1:
        raise not_understood()
    return CallerIdentity(_only(root, "Arn"), _only(root, "Account"), _only(root, "UserId"))


def not_understood() -> IdentityUnavailableError:
    return IdentityUnavailableError("AWS STS answered in a form that is not its own.", retry_after=5)


def _parse(body: bytes) -> ET.Element:
    try:
        text = body.decode("utf-8")
        # No doctype, no entity, no section, no comment: STS has none, and each is a way to say two things at once.
        if "<!" in text or text.count("<?") > 1:
            raise not_understood()
        return ET.fromstring(text)  # noqa: S314 see above
    except (UnicodeDecodeError, ET.ParseError, ValueError):
        raise not_understood() from None


def _only(root: ET.Element, name: str) -> str:
    """The text of the one element of that name, in whatever namespace a second one might hide."""
    found = [each for each in root.iter() if each.tag.rpartition("}")[2] == name]
    inside = root.findall(f"{_RESULT}/{NAMESPACE}{name}")
    if len(found) != 1 or found != inside or len(found[0]):
        raise not_understood()
    return (found[0].text or "").strip()
