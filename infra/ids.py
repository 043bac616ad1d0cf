"""Ids that sort by the time they were made (UUIDv7, RFC 9562)."""

from collections.abc import Callable
from typing import TypeAlias
from uuid import UUID

import uuid_utils.compat

IdFactory: TypeAlias = Callable[[], UUID]


def new_id() -> UUID:
    return uuid_utils.compat.uuid7()
