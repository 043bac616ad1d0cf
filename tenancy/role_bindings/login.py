"""From a proof that AWS vouches for to a session. Each refusal is of the same shape, and tells only of the caller's own."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.orm import Session as DatabaseSession

from infra.clock import Clock
from infra.crypto import SecretValue
from infra.database.unit_of_work import Database
from infra.ports.identity import IdentityProvider, LoginProof
from tenancy.actions import Action
from tenancy.audit.service import AuditLog
from tenancy.names import is_name
from tenancy.principals import RequestContext
from tenancy.role_bindings.arns import AssumedRole, RoleName, find_assumed_role
from tenancy.role_bindings.authentication import session_principal
from tenancy.role_bindings.errors import LoginNotEnabledError, LoginNotRoleError, RoleNotBoundError
from tenancy.role_bindings.models import RoleBinding
from tenancy.role_bindings.replays import UsedProofs
from tenancy.role_bindings.repository import RoleBindingRepository
from tenancy.sessions.tokens import LIFE, SessionTokens

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class LogIn:
    project: str
    proof: LoginProof


@dataclass(frozen=True)
class LoggedIn:
    """A session, shown this once."""

    token: SecretValue
    expires_at: datetime
    expires_in: int
    binding_id: UUID
    project: str
    role_arn: str


class LoginService:
    """`provider` is None where the operator has not enabled logins."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        audit: AuditLog,
        tokens: SessionTokens,
        provider: IdentityProvider | None,
        environment: str,
    ) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._tokens = tokens
        self._provider = provider
        self._environment = environment
        self._used = UsedProofs(database=database, clock=clock)

    def log_in(self, command: LogIn, request_id: str) -> LoggedIn:
        """Raises a subclass of NotAuthenticatedError, IdentityUnavailableError or LoginNotEnabledError."""
        role = self._proven(command.proof)
        with self._database.write() as uow:
            binding = RoleBindingRepository(uow.session).find_bound(command.project, role.role)
            if binding is None or binding.member is None or not _is_same_role(binding, role):
                _log.info("login refused", role=role.role.arn, unique_id=role.unique_id, session=role.session)
                raise _not_bound(command.project, role.role)
            if binding.role_unique_id is None:
                self._pin(uow.session, binding, role, request_id)
            binding.last_login_at = self._clock.now()
            uow.commit()
            _log.info("login", binding=str(binding.id), role=role.role.arn, session=role.session)
            return self._session(binding, role)

    def sweep(self) -> None:
        """What is over: proofs that no clock takes any more, keys that no session was signed with."""
        self._used.sweep()
        self._tokens.keys.sweep()

    def _proven(self, proof: LoginProof) -> AssumedRole:
        if self._provider is None:
            raise LoginNotEnabledError(
                "This gateway has no login for AWS roles.",
                hint="Its operator sets OAST_LOGIN__SERVER_ID and OAST_LOGIN__REGIONS; until then connect with an API key.",
            )
        now = self._clock.now()
        signature = self._provider.check(proof, now)
        self._used.require_unused(signature)
        identity = self._provider.identify(proof, now)
        # Whatever comes of it: a proof that AWS vouched for is used up, also where nothing is bound yet.
        self._used.use(signature)
        role = find_assumed_role(identity.arn, identity.account, identity.user_id)
        if role is None:
            raise LoginNotRoleError(
                f"AWS says that this is {identity.arn[:200]}, which is not a session of an IAM role.",
                hint="Run under a role: a SageMaker execution role, an instance profile, or sts:AssumeRole.",
            )
        return role

    def _pin(self, session: DatabaseSession, binding: RoleBinding, role: AssumedRole, request_id: str) -> None:
        """From now on the name alone is not enough: a role that is deleted and made again is another one."""
        binding.role_unique_id = role.unique_id
        context = RequestContext(session_principal(binding, self._environment, self._clock.now() + LIFE), request_id)
        self._audit.record(
            session,
            context,
            Action.ROLE_BINDING_CREATE,
            project_id=binding.project_id,
            subject=str(binding.id),
            change="first login",
            role_unique_id=role.unique_id,
        )

    def _session(self, binding: RoleBinding, role: AssumedRole) -> LoggedIn:
        issued = self._tokens.issue(binding.id, binding.project_id, role.unique_id, binding.ceiling, binding.scopes)
        return LoggedIn(
            token=issued.token,
            expires_at=issued.expires_at,
            expires_in=int(LIFE.total_seconds()),
            binding_id=binding.id,
            project=binding.project.name,
            role_arn=role.role.arn,
        )


def _is_same_role(binding: RoleBinding, role: AssumedRole) -> bool:
    return binding.role_unique_id in (None, role.unique_id)


def _not_bound(project: str, role: RoleName) -> RoleNotBoundError:
    """One answer whether the project is absent, the role was never bound, or another role of its name was."""
    # What is to be copied into a shell is never what somebody else made up.
    shown = project if is_name(project) else "<project>"
    return RoleNotBoundError(
        f"AWS vouches for {role.arn}, which is not bound to a project {shown!r} here.",
        hint=f"A data owner of the project binds it: oast role bind {shown} {role.arn} --member <data owner>. "
        "A role that was deleted and made again has to be unbound and bound anew.",
    )
