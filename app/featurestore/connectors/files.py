"""Files behind connectors, for those who read or write them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from app.featurestore.connectors.built_in import find_built_in
from app.featurestore.connectors.kinds import FileKind, Kinds, Options
from app.featurestore.connectors.models import StorageConnector
from app.featurestore.connectors.repository import ConnectorRepository
from app.featurestore.connectors.secrets import Login, ProjectSecrets
from infra.crypto import SecretValue
from infra.errors import InvalidInputError
from infra.ports.files import FileSource
from infra.ports.storage import ObjectStore
from tenancy.projects.models import Project

T = TypeVar("T")


@dataclass(frozen=True)
class FileConnector:
    """A connector as it was read; the secret is fetched for each use. `id` is None for the one that is built in."""

    id: UUID | None
    project: str
    name: str
    kind: str
    options: Options
    login: Login

    @property
    def is_built_in(self) -> bool:
        return self.id is None

    @classmethod
    def of(cls, row: StorageConnector) -> "FileConnector":
        return cls(row.id, row.project.name, row.name, row.kind, dict(row.options), Login.of(row))


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
            found = FileConnector(None, project, built_in.name, built_in.kind, built_in.options, Login(project))
        else:
            row = stored or ConnectorRepository(session).get(project_id, name)
            found = FileConnector.of(row)
        self._kind(found)
        return found

    def store(self, connector: FileConnector) -> ObjectStore:
        """For writing; outside any transaction: secrets and credentials are fetched."""
        return self._opened(connector, self._kind(connector).files)

    def source(self, connector: FileConnector) -> FileSource:
        """For reading; outside any transaction, too."""
        return self._opened(connector, self._kind(connector).source)

    def uri(self, connector: FileConnector, path: str) -> str:
        """What `path` there is called; nothing is fetched for it."""
        return self._kind(connector).uri(connector.project, connector.options, path)

    def _opened(self, connector: FileConnector, opener: Callable[[str, Options, SecretValue | None], T]) -> T:
        def attempt(secret: SecretValue | None) -> T:
            if self._secrets.may_be_old(connector.login):
                # One request, in place of keys that turn out to be withdrawn when half the files are written.
                self._kinds.load(connector.kind.lower()).test(connector.project, connector.options, secret)
            return opener(connector.project, connector.options, secret)

        return self._secrets.use(connector.login, attempt)

    def _kind(self, connector: FileConnector) -> FileKind:
        kind = self._kinds.load(connector.kind.lower())
        if not isinstance(kind, FileKind):
            raise InvalidInputError(
                f"A storage connector of kind {connector.kind} holds no files.",
                hint="Those of kind S3 and HOPSFS do; what a database holds is read with SQL.",
            )
        return kind
