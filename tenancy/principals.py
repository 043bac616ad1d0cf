"""Who is asking, and with what."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from tenancy.scopes import Scope


class Role(IntEnum):
    """Ordered: a role may do what the lower ones may."""

    VIEWER = 1
    DATA_SCIENTIST = 2
    DATA_OWNER = 3

    @property
    def label(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Principal:
    """An authenticated key or session. `role` is what it may do at this moment; an operator has no project and no role.

    `binding_id` is there in a session of an AWS role; `key_id` then is the same in other letters. `asked_at` is when its request
    came: a session is shorter than some uploads, and a request that began in time may end.
    """

    key_id: str
    environment: str
    scopes: frozenset[Scope]
    expires_at: datetime
    project_id: UUID | None = None
    project: str | None = None
    member: str | None = None
    member_id: UUID | None = None
    role: Role | None = None
    binding_id: UUID | None = None
    asked_at: datetime | None = None

    @property
    def is_operator(self) -> bool:
        return self.project_id is None and Scope.OPERATOR in self.scopes

    @property
    def name(self) -> str:
        return self.member or "operator"


@dataclass(frozen=True)
class RequestContext:
    """What a use case knows of the request around it.

    `claim_id` identifies a request that may be sent again; `remember` stores its answer in the transaction given to it.
    """

    principal: Principal
    request_id: str
    claim_id: UUID | None = None
    remember: Callable[[Session, Any], None] = lambda _session, _answer: None
