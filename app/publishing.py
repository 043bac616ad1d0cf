"""`oast key publish` and `oast key rotate --publish`: a fresh key goes to where a role finds it, and is shown to nobody."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.container import Container
from app.shell import as_operator, every
from infra.errors import GatewayError, InvalidInputError
from infra.ports.publishing import (
    KeyNotPublishedError,
    KeyOptions,
    KeyPlace,
    KeyPublisher,
    KeyPublishingUnknownError,
    PublishedKey,
)
from infra.secrets.aws import AwsOptions
from infra.secrets.publishing import PUBLISHERS, publisher
from tenancy.api_keys.service import CreateApiKey, IssuedKey

STORES = tuple(PUBLISHERS)


@dataclass(frozen=True)
class Publishing:
    """What the command line says of it."""

    role: str
    store: str
    region: str | None = None
    kms_key: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Published:
    """Without the key, which only the store has now."""

    key_id: str
    member: str | None
    expires_at: datetime
    store: str
    name: str
    region: str
    tagged: bool
    policy: Any

    @property
    def text(self) -> str:
        note = "" if self.tagged else "\nIts tags could not be written."
        return (
            f"Key {self.key_id} of {self.member} is in {self.store} ({self.region}) as {self.name}.{note}\n"
            f"The role needs, and no more:\n{json.dumps(self.policy, indent=2)}"
        )


def publish(container: Container, project: str, command: CreateApiKey, publishing: Publishing) -> Published:
    target, place, options = _target(container, project, publishing)
    issued = container.api_keys.create(as_operator(container), project, command)
    return _put(container, issued, target, place, options)


def rotate(container: Container, project: str, key_id: str, overlap: timedelta, publishing: Publishing) -> Published:
    """The old key works on for the overlap, so who holds it already goes on; who connects gets the successor."""
    target, place, options = _target(container, project, publishing)
    issued = container.api_keys.rotate(as_operator(container), project, key_id, overlap)
    try:
        return _put(container, issued, target, place, options)
    except KeyNotPublishedError as error:
        old = next(key for key in _keys(container, project) if key.key_id == key_id)
        raise KeyNotPublishedError(
            f"{error.detail} The old key {key_id}, which is still published, works until {old.expires_at:%Y-%m-%d %H:%M} UTC.",
            hint=f"{error.hint or ''} Then, before that: oast key publish {project} --member {old.member} …".strip(),
        ) from None


def _target(container: Container, project: str, publishing: Publishing) -> tuple[KeyPublisher, KeyPlace, KeyOptions]:
    """Looks before anything is made: most of what can go wrong is seen here."""
    settings = container.settings.secrets
    region = publishing.region or settings.aws_region
    target = publisher(publishing.store, AwsOptions(region, settings.aws_endpoint_url))
    place = KeyPlace.of(project, publishing.role)
    tags = {"oasthouse-project": project, **dict(_tag(text) for text in publishing.tags)}
    target.look(place)
    return target, place, KeyOptions(publishing.kms_key, tags)


def _put(
    container: Container, issued: IssuedKey, target: KeyPublisher, place: KeyPlace, options: KeyOptions
) -> Published:
    info = issued.info
    options = KeyOptions(options.kms_key, {**options.tags, "oasthouse-key-id": info.key_id})
    try:
        found: PublishedKey = target.publish(place, issued.key, options)
    except KeyPublishingUnknownError as error:
        # Revoked now, it would fail every notebook if it did arrive.
        raise KeyPublishingUnknownError(
            f"{error.detail} Key {info.key_id} may be published or not, so it is kept.",
            hint=f"Publish again; then revoke it: oast key revoke {place.project} {info.key_id}",
        ) from None
    except GatewayError as error:
        container.api_keys.revoke(as_operator(container), place.project, info.key_id)
        raise KeyNotPublishedError(
            f"{error.detail} The new key {info.key_id} was revoked again.", hint=error.hint
        ) from None
    return Published(info.key_id, info.member, info.expires_at, **vars(found))


def _keys(container: Container, project: str) -> list[Any]:
    return every(lambda page: container.api_keys.list_api_keys(as_operator(container), project, page))


def _tag(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InvalidInputError(f"{text!r} is no tag.", hint="Write --tag team=football.")
    return name, value
