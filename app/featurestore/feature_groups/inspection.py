"""Who looks at rows before they are written, and may refuse them."""

from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import pyarrow as pa
from sqlalchemy.orm import Session

from app.featurestore.feature_groups.conform import ConformedFrame
from app.featurestore.feature_groups.models import FeatureGroup
from tenancy.principals import RequestContext


@dataclass(frozen=True)
class Inspection:
    """What rows are held against: what was expected when their request began. A group that is only being made has no id.

    `is_read_again`: another attempt of the same request may bring other rows, as one that reads them from a source does.
    """

    project_id: UUID
    feature_group_id: UUID | None
    expectations: dict[str, Any] | None
    is_read_again: bool = False


class Admission(Protocol):
    """Rows that may be written. `summary` is for who sent them; None: nothing was asked of the rows."""

    @property
    def summary(self) -> dict[str, Any] | None: ...

    def keep(self, session: Session, group: FeatureGroup, table_version: int) -> None:
        """Store what was found, in the transaction that makes the rows known. However often a request comes: once."""


class RowInspector(Protocol):
    def accept(self, expectations: dict[str, Any] | None, schema: pa.Schema) -> dict[str, Any] | None:
        """Expectations as they are stored; raises InvalidInputError where they do not fit the schema."""

    def admit(self, context: RequestContext, inspection: Inspection, rows: ConformedFrame | None) -> Admission:
        """Raises what refuses the rows, nothing of which may have been written yet."""

    def admitted(self, context: RequestContext, inspection: Inspection) -> Admission:
        """What an earlier attempt of the request was given, whose rows are in the table."""
