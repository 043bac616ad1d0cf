"""Which secrets a project may name. Asked when a connector is stored, and again each time one is used."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from app.featurestore.connectors.models import StorageConnector
from app.featurestore.connectors.stored import StoredSecrets, binding
from infra.crypto import SecretValue
from infra.ports.files import BucketKeysRefusedError
from infra.ports.sealing import Binding, Sealed
from infra.ports.secrets import SecretAccessDeniedError, SecretRef, SecretUser
from infra.ports.sources import SourcePasswordRefusedError

T = TypeVar("T")


@dataclass(frozen=True)
class Login:
    """What a connector logs in with: a secret that it names, or one that is kept here, or none."""

    project: str
    reference: str | None = None
    stored: tuple[Sealed, Binding] | None = None

    @classmethod
    def of(cls, connector: StorageConnector) -> "Login":
        row = connector.stored_secret
        stored = None if row is None else (row.sealed, binding(connector))
        return cls(connector.project.name, connector.secret_ref, stored)


class ProjectSecrets:
    """`prefix` with the project's name in place of `{project}` begins the path of every secret that is a project's own.

    The gateway could read more than any project may: without this question a connector could name another's secret.
    `local` are the operator's own secrets that it lends to a project, reference by reference.
    """

    def __init__(
        self, *, users: SecretUser, stored: StoredSecrets, prefix: str, local: frozenset[tuple[str, str]]
    ) -> None:
        self._users = users
        self._stored = stored
        self._prefix = prefix
        self._local = local

    def require_own(self, project: str, text: str) -> SecretRef:
        """The reference, if the project may name it; raises SecretRefInvalidError or SecretAccessDeniedError."""
        ref = SecretRef.parse(text)
        store = self._users.require_known(ref)
        path = store.path(ref)
        if store.is_local:
            if (project, str(ref)) not in self._local:
                raise SecretAccessDeniedError(
                    "Secrets of the gateway's own machine are lent to a project by the operator, one by one.",
                    hint="The operator lists them in OAST_SECRETS__LOCAL; secrets in AWS need no such entry.",
                )
        elif not path.startswith(self._prefix.format(project=project)):
            raise SecretAccessDeniedError(
                f"Project {project!r} may use secrets whose names begin with {self._prefix.format(project=project)!r}.",
                hint="Keep the secret under such a name.",
            )
        return ref

    def use(self, login: Login, attempt: Callable[[SecretValue | None], T]) -> T:
        """What `attempt` gives. Where a target refuses the secret, it may be asked again with a newer or an older one."""
        if login.stored is not None:
            return attempt(self._stored.open(*login.stored))
        if login.reference is None:
            return attempt(None)
        ref = self.require_own(login.project, login.reference)
        return self._users.use(login.project, ref, attempt, _is_refusal)

    def may_be_old(self, login: Login) -> bool:
        """Whether the value may be another by now at its store; those of this machine are read each time."""
        return login.reference is not None and not self._users.require_known(SecretRef.parse(login.reference)).is_local


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, SourcePasswordRefusedError | BucketKeysRefusedError)
