"""Every decision there is, against an oracle that builds sets where the policy asks questions."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID

from tenancy.actions import Action, ShareKind
from tenancy.policy import Grant, Verdict, decide
from tenancy.principals import Principal, Role
from tenancy.scopes import CONTAINS, Scope, expand

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OWN, OTHER = UUID(int=1), UUID(int=2)
A = Action

# The oracle's own statement of the rules: sets of actions, written down independently of `tenancy.actions.RULES`.
NEEDS = {
    Scope.PROJECT_READ: {A.PROJECT_LIST, A.PROJECT_READ, A.MEMBER_LIST, A.SHARE_LIST},
    Scope.PROJECT_MEMBERS: {A.MEMBER_SET, A.MEMBER_REMOVE},
    Scope.PROJECT_SHARES: {A.SHARE_OFFER, A.SHARE_ANSWER, A.SHARE_END, A.VENDING_SET},
    Scope.DATA_VEND: {A.DATA_VEND},
    Scope.KEYS_MANAGE: {
        A.API_KEY_LIST,
        A.API_KEY_CREATE,
        A.API_KEY_ROTATE,
        A.API_KEY_REVOKE,
        A.ROLE_BINDING_LIST,
        A.ROLE_BINDING_CREATE,
        A.ROLE_BINDING_DELETE,
    },
    Scope.FEATURESTORE_BROWSE: {
        A.FEATURE_STORE_LIST,
        A.FEATURE_GROUP_READ,
        A.QUERY_EXPLAIN,
        A.TRAINING_DATASET_READ,
        A.CONNECTOR_LIST,
        A.CONNECTOR_READ,
        A.JOB_READ,
    },
    Scope.FEATURESTORE_READ: {
        A.FEATURE_GROUP_READ_ROWS,
        A.QUERY_RUN,
        A.TRAINING_DATASET_READ_ROWS,
        A.DRIFT_READ,
        A.JOB_READ_LOG,
    },
    Scope.FEATURESTORE_WRITE: {A.FEATURE_GROUP_INSERT},
    Scope.FEATURESTORE_MANAGE: {
        A.FEATURE_GROUP_CREATE,
        A.FEATURE_GROUP_UPDATE,
        A.FEATURE_GROUP_DELETE,
        A.TRAINING_DATASET_CREATE,
        A.TRAINING_DATASET_DELETE,
        A.CONNECTOR_CREATE,
        A.CONNECTOR_UPDATE,
        A.CONNECTOR_DELETE,
        A.CONNECTOR_TEST,
        A.JOB_SAVE,
        A.JOB_DELETE,
        A.JOB_RUN,
    },
    Scope.OPERATOR: {A.PROJECT_CREATE, A.OPERATOR_KEY_MANAGE, A.WAREHOUSE_SET},
}
FREE = {A.IDENTITY_READ}
KEY_ACTIONS = NEEDS[Scope.KEYS_MANAGE]
ROLE_BINDINGS = {A.ROLE_BINDING_LIST, A.ROLE_BINDING_CREATE, A.ROLE_BINDING_DELETE}
OWNERS_CONNECTORS = {A.CONNECTOR_CREATE, A.CONNECTOR_UPDATE, A.CONNECTOR_DELETE}
OWNERS_PEOPLE = NEEDS[Scope.PROJECT_MEMBERS] | NEEDS[Scope.PROJECT_SHARES] | ROLE_BINDINGS
OWNER_ONLY = OWNERS_PEOPLE | NEEDS[Scope.OPERATOR] | OWNERS_CONNECTORS
SCIENTISTS_TO_SEE = {A.CONNECTOR_LIST, A.CONNECTOR_READ, A.JOB_READ, A.JOB_READ_LOG}
MANAGED = NEEDS[Scope.FEATURESTORE_MANAGE] - OWNERS_CONNECTORS
SCIENTIST_UP = (
    MANAGED
    | NEEDS[Scope.DATA_VEND]
    | NEEDS[Scope.FEATURESTORE_WRITE]
    | (KEY_ACTIONS - ROLE_BINDINGS)
    | SCIENTISTS_TO_SEE
)
ANYONE = set(Action) - OWNER_ONLY - SCIENTIST_UP
MAY = {
    Role.VIEWER: ANYONE,
    Role.DATA_SCIENTIST: ANYONE | SCIENTIST_UP,
    Role.DATA_OWNER: set(Action),
}
THROUGH = {
    ShareKind.FEATURE_STORE: {A.PROJECT_READ, A.FEATURE_GROUP_READ, A.FEATURE_GROUP_READ_ROWS, A.DATA_VEND},
    ShareKind.TRAINING_DATASETS: {A.PROJECT_READ, A.TRAINING_DATASET_READ, A.TRAINING_DATASET_READ_ROWS},
}
READABLE_BY_SHARE = set.union(*THROUGH.values())
OPERATORS = NEEDS[Scope.PROJECT_READ] | NEEDS[Scope.PROJECT_MEMBERS] | KEY_ACTIONS | FREE | NEEDS[Scope.OPERATOR]


@dataclass(frozen=True)
class Case:
    action: Action
    role: Role | None
    scopes: frozenset[Scope]
    is_expired: bool
    project: UUID | None
    shares: tuple[tuple[ShareKind, bool], ...]  # kind, still alive

    def decide(self) -> Verdict:
        is_operator = Scope.OPERATOR in self.scopes
        principal = Principal(
            key_id="key",
            environment="test",
            scopes=self.scopes,
            expires_at=NOW if self.is_expired else NOW + timedelta(seconds=1),
            project_id=None if is_operator else OWN,
            role=self.role,
        )
        grants = [
            Grant(UUID(int=9), OTHER, kind, NOW + timedelta(seconds=1) if alive else NOW) for kind, alive in self.shares
        ]
        return decide(principal, self.action, self.project, grants, NOW).verdict

    def expected(self) -> Verdict:
        if self.is_expired:
            return Verdict.UNAUTHENTICATED
        if Scope.OPERATOR in self.scopes:
            return Verdict.ALLOWED if self.action in OPERATORS else Verdict.SCOPE_MISSING
        scoped = FREE.union(*(NEEDS[scope] for scope in self.scopes if scope in NEEDS))
        if self.action not in scoped:
            return Verdict.SCOPE_MISSING
        if self.role is None or self.action not in MAY[self.role]:
            return Verdict.ROLE_TOO_LOW
        if self.project in (None, OWN):
            return Verdict.ALLOWED
        alive = {kind for kind, is_alive in self.shares if is_alive}
        if self.action in set().union(*(THROUGH[kind] for kind in alive)):
            return Verdict.ALLOWED
        if not alive:
            return Verdict.INVISIBLE
        return Verdict.NOT_SHARED if self.action in READABLE_BY_SHARE else Verdict.FORBIDDEN


def every_case() -> list[Case]:
    single = [frozenset({scope}) for scope in Scope]
    coarse = [expand([scope]) for scope in CONTAINS]
    pairs = [expand([Scope.FEATURESTORE, Scope.PROJECT]), frozenset(Scope) - {Scope.OPERATOR}, frozenset()]
    states = [(kind, alive) for kind in ShareKind for alive in (True, False)]
    shares = [(), *((state,) for state in states), tuple(states), (states[0], states[3])]
    return [
        Case(*cell)
        for cell in product(
            Action, [*Role, None], [*single, *coarse, *pairs], (False, True), (None, OWN, OTHER), shares
        )
    ]


def test_every_decision_is_the_oracles() -> None:
    cases = every_case()
    assert len(cases) > 50_000
    wrong = [case for case in cases if case.decide() is not case.expected()]
    assert wrong == []


def test_the_oracle_speaks_of_every_action_once() -> None:
    stated = [action for actions in (*NEEDS.values(), FREE) for action in actions]
    assert sorted(stated) == sorted(Action)


def test_a_session_is_judged_by_when_its_request_came() -> None:
    """And a key, which lives for months, by the moment."""
    late = NOW + timedelta(minutes=40)
    for asked_at, expected in (
        (None, Verdict.UNAUTHENTICATED),
        (NOW, Verdict.ALLOWED),
        (late, Verdict.UNAUTHENTICATED),
    ):
        principal = Principal(
            "key", "test", frozenset(), NOW + timedelta(minutes=15), OWN, role=Role.VIEWER, asked_at=asked_at
        )
        assert decide(principal, Action.IDENTITY_READ, OWN, [], late).verdict is expected
