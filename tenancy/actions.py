"""Everything that can be done, and what it takes. A route that names no action of this table does not start."""

from dataclasses import dataclass, field
from enum import StrEnum

from tenancy.principals import Role
from tenancy.scopes import Scope


class ShareKind(StrEnum):
    """What of a project another project may be given."""

    FEATURE_STORE = "feature_store"
    TRAINING_DATASETS = "training_datasets"


class Action(StrEnum):
    IDENTITY_READ = "identity:read"
    PROJECT_LIST = "project:list"
    PROJECT_READ = "project:read"
    PROJECT_CREATE = "project:create"
    MEMBER_LIST = "member:list"
    MEMBER_SET = "member:set"
    MEMBER_REMOVE = "member:remove"
    API_KEY_LIST = "api-key:list"
    API_KEY_CREATE = "api-key:create"
    API_KEY_ROTATE = "api-key:rotate"
    API_KEY_REVOKE = "api-key:revoke"
    OPERATOR_KEY_MANAGE = "operator-key:manage"
    WAREHOUSE_SET = "warehouse:set"
    ROLE_BINDING_LIST = "role-binding:list"
    ROLE_BINDING_CREATE = "role-binding:create"
    ROLE_BINDING_DELETE = "role-binding:delete"
    SHARE_LIST = "share:list"
    SHARE_OFFER = "share:offer"
    SHARE_ANSWER = "share:answer"
    SHARE_END = "share:end"
    FEATURE_STORE_LIST = "featurestore:list"
    FEATURE_GROUP_READ = "feature-group:read"
    FEATURE_GROUP_READ_ROWS = "feature-group:read-rows"
    FEATURE_GROUP_CREATE = "feature-group:create"
    FEATURE_GROUP_UPDATE = "feature-group:update"
    FEATURE_GROUP_INSERT = "feature-group:insert"
    FEATURE_GROUP_DELETE = "feature-group:delete"
    DATA_VEND = "data:vend"
    VENDING_SET = "vending:set"
    QUERY_EXPLAIN = "query:explain"
    QUERY_RUN = "query:run"
    TRAINING_DATASET_READ = "training-dataset:read"
    TRAINING_DATASET_READ_ROWS = "training-dataset:read-rows"
    TRAINING_DATASET_CREATE = "training-dataset:create"
    TRAINING_DATASET_DELETE = "training-dataset:delete"
    DRIFT_READ = "drift:read"
    JOB_READ = "job:read"
    JOB_READ_LOG = "job:read-log"
    JOB_SAVE = "job:save"
    JOB_DELETE = "job:delete"
    JOB_RUN = "job:run"
    CONNECTOR_LIST = "connector:list"
    CONNECTOR_READ = "connector:read"
    CONNECTOR_CREATE = "connector:create"
    CONNECTOR_UPDATE = "connector:update"
    CONNECTOR_DELETE = "connector:delete"
    CONNECTOR_TEST = "connector:test"


@dataclass(frozen=True)
class Rule:
    """`scope` of the key, lowest `role` of its member, which shares extend the action to another project, operators."""

    scope: Scope | None
    role: Role
    shared_by: frozenset[ShareKind] = field(default_factory=frozenset)
    operator: bool = False


_STORE = frozenset({ShareKind.FEATURE_STORE})
_DATASETS = frozenset({ShareKind.TRAINING_DATASETS})
_VIEWER, _SCIENTIST, _OWNER = Role.VIEWER, Role.DATA_SCIENTIST, Role.DATA_OWNER

RULES: dict[Action, Rule] = {
    Action.IDENTITY_READ: Rule(None, _VIEWER, operator=True),
    Action.PROJECT_LIST: Rule(Scope.PROJECT_READ, _VIEWER, operator=True),
    Action.PROJECT_READ: Rule(Scope.PROJECT_READ, _VIEWER, _STORE | _DATASETS, operator=True),
    Action.PROJECT_CREATE: Rule(Scope.OPERATOR, _OWNER, operator=True),
    Action.MEMBER_LIST: Rule(Scope.PROJECT_READ, _VIEWER, operator=True),
    Action.MEMBER_SET: Rule(Scope.PROJECT_MEMBERS, _OWNER, operator=True),
    Action.MEMBER_REMOVE: Rule(Scope.PROJECT_MEMBERS, _OWNER, operator=True),
    Action.API_KEY_LIST: Rule(Scope.KEYS_MANAGE, _SCIENTIST, operator=True),
    Action.API_KEY_CREATE: Rule(Scope.KEYS_MANAGE, _SCIENTIST, operator=True),
    Action.API_KEY_ROTATE: Rule(Scope.KEYS_MANAGE, _SCIENTIST, operator=True),
    Action.API_KEY_REVOKE: Rule(Scope.KEYS_MANAGE, _SCIENTIST, operator=True),
    Action.OPERATOR_KEY_MANAGE: Rule(Scope.OPERATOR, _OWNER, operator=True),
    Action.WAREHOUSE_SET: Rule(Scope.OPERATOR, _OWNER, operator=True),
    Action.ROLE_BINDING_LIST: Rule(Scope.KEYS_MANAGE, _OWNER, operator=True),
    Action.ROLE_BINDING_CREATE: Rule(Scope.KEYS_MANAGE, _OWNER, operator=True),
    Action.ROLE_BINDING_DELETE: Rule(Scope.KEYS_MANAGE, _OWNER, operator=True),
    Action.SHARE_LIST: Rule(Scope.PROJECT_READ, _VIEWER, operator=True),
    Action.SHARE_OFFER: Rule(Scope.PROJECT_SHARES, _OWNER),
    Action.SHARE_ANSWER: Rule(Scope.PROJECT_SHARES, _OWNER),
    Action.SHARE_END: Rule(Scope.PROJECT_SHARES, _OWNER),
    Action.FEATURE_STORE_LIST: Rule(Scope.FEATURESTORE_BROWSE, _VIEWER),
    Action.FEATURE_GROUP_READ: Rule(Scope.FEATURESTORE_BROWSE, _VIEWER, _STORE),
    Action.FEATURE_GROUP_READ_ROWS: Rule(Scope.FEATURESTORE_READ, _VIEWER, _STORE),
    Action.FEATURE_GROUP_CREATE: Rule(Scope.FEATURESTORE_MANAGE, _SCIENTIST),
    Action.FEATURE_GROUP_UPDATE: Rule(Scope.FEATURESTORE_MANAGE, _SCIENTIST),
    Action.FEATURE_GROUP_INSERT: Rule(Scope.FEATURESTORE_WRITE, _SCIENTIST),
    Action.FEATURE_GROUP_DELETE: Rule(Scope.FEATURESTORE_MANAGE, _SCIENTIST),
    Action.DATA_VEND: Rule(Scope.DATA_VEND, _SCIENTIST, _STORE),
    # Whoever may share the rows may let them be read past the gateway.
    Action.VENDING_SET: Rule(Scope.PROJECT_SHARES, _OWNER),
    Action.QUERY_EXPLAIN: Rule(Scope.FEATURESTORE_BROWSE, _VIEWER),
    Action.QUERY_RUN: Rule(Scope.FEATURESTORE_READ, _VIEWER),
    Action.TRAINING_DATASET_READ: Rule(Scope.FEATURESTORE_BROWSE, _VIEWER, _DATASETS),
    Action.TRAINING_DATASET_READ_ROWS: Rule(Scope.FEATURESTORE_READ, _VIEWER, _DATASETS),
    Action.TRAINING_DATASET_CREATE: Rule(Scope.FEATURESTORE_MANAGE, _SCIENTIST),
    Action.TRAINING_DATASET_DELETE: Rule(Scope.FEATURESTORE_MANAGE, _SCIENTIST),
    Action.DRIFT_READ: Rule(Scope.FEATURESTORE_READ, _VIEWER),
    Action.JOB_READ: Rule(Scope.FEATURESTORE_BROWSE, _SCIENTIST),
    Action.JOB_READ_LOG: Rule(Scope.FEATURESTORE_READ, _SCIENTIST),
    Action.JOB_SAVE: Rule(Scope.FEATURESTORE_MANAGE, _SCIENTIST),
    Action.JOB_DELETE: Rule(Scope.FEATURESTORE_MANAGE, _SCIENTIST),
    Action.JOB_RUN: Rule(Scope.FEATURESTORE_MANAGE, _SCIENTIST),
    Action.CONNECTOR_LIST: Rule(Scope.FEATURESTORE_BROWSE, _SCIENTIST),
    Action.CONNECTOR_READ: Rule(Scope.FEATURESTORE_BROWSE, _SCIENTIST),
    Action.CONNECTOR_CREATE: Rule(Scope.FEATURESTORE_MANAGE, _OWNER),
    Action.CONNECTOR_UPDATE: Rule(Scope.FEATURESTORE_MANAGE, _OWNER),
    Action.CONNECTOR_DELETE: Rule(Scope.FEATURESTORE_MANAGE, _OWNER),
    Action.CONNECTOR_TEST: Rule(Scope.FEATURESTORE_MANAGE, _SCIENTIST),
}
