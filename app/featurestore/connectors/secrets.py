"""Which secrets a project may name. Asked when a connector is stored, and again each time one is used."""

from infra.crypto import SecretValue
from infra.ports.secrets import SecretAccessDeniedError, SecretRef, SecretRefInvalidError, SecretStore
from infra.registry import Registry


class ProjectSecrets:
    """`prefix` with the project's name in place of `{project}` begins the path of every secret that is a project's own.

    The gateway could read more than any project may: without this question a connector could name another's secret.
    `local` are the operator's own secrets that it lends to a project, reference by reference.
    """

    def __init__(self, *, stores: Registry[SecretStore], prefix: str, local: frozenset[tuple[str, str]]) -> None:
        self._stores = stores
        self._prefix = prefix
        self._local = local

    def require_own(self, project: str, text: str) -> SecretRef:
        """The reference, if the project may name it; raises SecretRefInvalidError or SecretAccessDeniedError."""
        ref = SecretRef.parse(text)
        store = self._store(ref)
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

    def resolve(self, project: str, text: str | None) -> SecretValue | None:
        """The value; None for a connector without a secret."""
        if text is None:
            return None
        ref = self.require_own(project, text)
        return self._store(ref).resolve(ref)

    def _store(self, ref: SecretRef) -> SecretStore:
        if ref.scheme not in self._stores:
            raise SecretRefInvalidError(
                "No secret store has that name.", candidates=tuple(f"{name}:…" for name in self._stores)
            )
        return self._stores.load(ref.scheme)
