"""Storage connectors as answers tell them: never with a secret."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from app.featurestore.connectors.built_in import BuiltInConnector
from app.featurestore.connectors.kinds import Options
from app.featurestore.connectors.models import StorageConnector
from tenancy.projects.models import Project


@dataclass(frozen=True)
class ConnectorInfo:
    """`secret` is the reference, and only for those who may change the connector, as is the fingerprint of a stored one.

    `external_id` is what the gateway says where it assumes a role; `built_in` ones are nobody's to change.
    """

    id: UUID
    project: str
    name: str
    kind: str
    description: str
    options: Options
    has_secret: bool
    secret: str | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    revision: int
    built_in: bool = False
    external_id: str | None = None
    secret_source: str | None = None
    secret_fingerprint: str | None = None

    @classmethod
    def of(cls, connector: StorageConnector, external_id: str | None, *, with_secret: bool) -> "ConnectorInfo":
        kept = connector.stored_secret
        return cls(
            id=connector.id,
            project=connector.project.name,
            name=connector.name,
            kind=connector.kind,
            description=connector.description,
            options=dict(connector.options),
            has_secret=connector.has_secret,
            secret=connector.secret_ref if with_secret else None,
            created_at=connector.created_at,
            created_by=connector.created_by,
            updated_at=connector.updated_at,
            revision=connector.revision,
            external_id=external_id,
            secret_source="stored" if kept else "reference" if connector.secret_ref else None,
            secret_fingerprint=kept.fingerprint if kept and with_secret else None,
        )

    @classmethod
    def of_built_in(cls, connector: BuiltInConnector, project: Project) -> "ConnectorInfo":
        return cls(
            id=uuid5(project.id, f"connector:{connector.name}"),
            project=project.name,
            name=connector.name,
            kind=connector.kind,
            description=connector.description,
            options=connector.options,
            has_secret=False,
            secret=None,
            created_at=project.created_at,
            created_by=project.created_by,
            updated_at=project.created_at,
            revision=1,
            built_in=True,
        )


@dataclass(frozen=True)
class ConnectorTestInfo:
    """How long it took to connect, log in and read one value, or to list one file."""

    latency_ms: float
