"""Files behind connectors, for those who read or write them."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from app.featurestore.connectors.built_in import find_built_in
from app.featurestore.connectors.kinds import FileKind, Kinds, Options
from app.featurestore.connectors.models import StorageConnector
from app.featurestore.connectors.repository import ConnectorRepository
from app.featurestore.connectors.secrets import ProjectSecrets
from infra.crypto import SecretValue
from infra.errors import InvalidInputError
from infra.ports.files import FileSource
from infra.ports.storage import ObjectStore
from tenancy.projects.models import Project


@dataclass(frozen=True)
class FileConnector:
    """A connector as it was read; the secret is fetched for each use. `id` is None for the one that is built in."""

    id: UUID | None
    project: str
    name: str
    kind: str
    options: Options
    secret_ref: str | None

    @property
    def is_built_in(self) -> bool:
        return self.id is None

    @classmethod
    def of(cls, row: StorageConnector) -> "FileConnector":
        return cls(row.id, row.project.name, row.name, row.kind, dict(row.options), row.secret_ref)


class FileReader:
    """Opens the places that connectors lead to. Whether the caller may was asked before."""

    def __init__(self, *, kinds: Kinds, secrets: ProjectSecrets) -> None:
        self._kinds = kinds
        self._secrets = secrets

    def find(self, session: Session, project_id: UUID, name: str) -> FileConnector:
        """Raises ConnectorNotFoundError, and InvalidInputError for one that holds no files."""
        stored = ConnectorRepository(session).find(project_id, name)
        project = session.get_one(Project, project_id).name
        built_in = find_built_in(project, name)
        if stored is None and built_in is not None:
            found = FileConnector(None, project, built_in.name, built_in.kind, built_in.options, None)
        else:
            row = stored or ConnectorRepository(session).get(project_id, name)
            found = FileConnector.of(row)
        self._kind(found)
        return found

    def store(self, connector: FileConnector) -> ObjectStore:
        """For writing; outside any transaction: secrets and credentials are fetched."""
        return self._kind(connector).files(connector.project, connector.options, self._secret(connector))

    def source(self, connector: FileConnector) -> FileSource:
        """For reading; outside any transaction, too."""
        return self._kind(connector).source(connector.project, connector.options, self._secret(connector))

    def uri(self, connector: FileConnector, path: str) -> str:
        """What `path` there is called; nothing is fetched for it."""
        return self._kind(connector).uri(connector.project, connector.options, path)

    def _secret(self, connector: FileConnector) -> SecretValue | None:
        return self._secrets.resolve(connector.project, connector.secret_ref)

    def _kind(self, connector: FileConnector) -> FileKind:
        kind = self._kinds.load(connector.kind.lower())
        if not isinstance(kind, FileKind):
            raise InvalidInputError(
                f"A storage connector of kind {connector.kind} holds no files.",
                hint="Those of kind S3 and HOPSFS do; what a database holds is read with SQL.",
            )
        return kind
