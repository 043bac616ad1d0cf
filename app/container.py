"""Every use case, wired. Made by `app/bootstrap`, handed to the edges."""

from dataclasses import dataclass

from app.featurestore.changes.service import ChangeService
from app.featurestore.connectors.service import ConnectorService
from app.featurestore.connectors.stored import StoredSecrets
from app.featurestore.expectations.service import ExpectationService
from app.featurestore.feature_groups.history import FeatureGroupHistoryService
from app.featurestore.feature_groups.on_demand import OnDemandService, OnDemandSources
from app.featurestore.feature_groups.service import FeatureGroupService
from app.featurestore.jobs.execution import RunExecution
from app.featurestore.jobs.history import RunHistory
from app.featurestore.jobs.programs import ProgramService
from app.featurestore.jobs.queue import RunQueue
from app.featurestore.jobs.scheduler import Scheduler
from app.featurestore.jobs.service import JobService
from app.featurestore.locations.service import Locations
from app.featurestore.parts.service import PartService
from app.featurestore.query.service import QueryService
from app.featurestore.sql.service import SqlService
from app.featurestore.staging.service import StagingService
from app.featurestore.statistics.service import StatisticsService
from app.featurestore.training_datasets.places import DatasetPlaces
from app.featurestore.training_datasets.service import TrainingDatasetService
from app.featurestore.vending.proof import Proofs
from app.featurestore.vending.service import VendingService
from app.featurestore.warehouses.proof import CommitProofs
from app.featurestore.warehouses.service import WarehouseService
from app.settings import Settings
from infra.clock import Clock
from infra.database.idempotency import IdempotencyLedger
from infra.database.unit_of_work import Database
from infra.ports.cluster import Cluster
from infra.ports.storage import ObjectStore
from infra.ports.tables import TableStore
from tenancy.access import Authorizer
from tenancy.api_keys.authentication import Authenticator
from tenancy.api_keys.service import ApiKeyService
from tenancy.attempts import Attempts
from tenancy.members.service import MemberService
from tenancy.projects.service import ProjectService
from tenancy.role_bindings.authentication import SessionAuthenticator
from tenancy.role_bindings.login import LoginService
from tenancy.role_bindings.service import RoleBindingService
from tenancy.shares.service import ShareService


@dataclass(frozen=True)
class Container:
    settings: Settings
    clock: Clock
    database: Database
    store: ObjectStore
    tables: TableStore
    cluster: Cluster | None
    ledger: IdempotencyLedger
    attempts: Attempts
    authenticator: Authenticator
    authorizer: Authorizer
    projects: ProjectService
    members: MemberService
    api_keys: ApiKeyService
    shares: ShareService
    role_bindings: RoleBindingService
    logins: LoginService
    sessions: SessionAuthenticator
    connectors: ConnectorService
    stored_secrets: StoredSecrets
    feature_groups: FeatureGroupService
    on_demand: OnDemandService
    on_demand_sources: OnDemandSources
    feature_group_history: FeatureGroupHistoryService
    changes: ChangeService
    queries: QueryService
    sql: SqlService
    parts: PartService
    vending: VendingService
    vending_proofs: Proofs
    staging: StagingService
    training_datasets: TrainingDatasetService
    places: DatasetPlaces
    locations: Locations
    warehouses: WarehouseService
    commit_proofs: CommitProofs
    statistics: StatisticsService
    expectations: ExpectationService
    jobs: JobService
    programs: ProgramService
    runs: RunQueue
    scheduler: Scheduler
    execution: RunExecution
    history: RunHistory
