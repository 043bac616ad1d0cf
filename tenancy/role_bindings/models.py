from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from infra.database.base import Base
from tenancy.members.models import Member
from tenancy.principals import Role
from tenancy.projects.models import Project
from tenancy.role_bindings.arns import RoleName


class RoleBinding(Base):
    """An IAM role that may act in a project, for a member of it and with no more than `role_rank` and `scopes`.

    `role_unique_id` tells a role from a later one of the same name; None until the role logs in for the first time.
    """

    __tablename__ = "role_binding"
    __table_args__ = (UniqueConstraint("project_id", "partition", "account_id", "role_name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"))
    partition: Mapped[str] = mapped_column(String(16))
    account_id: Mapped[str] = mapped_column(String(12))
    role_name: Mapped[str] = mapped_column(String(64))
    role_unique_id: Mapped[str | None] = mapped_column(String(128))
    # No foreign key, and the id decides, as with keys: a member who is added again revives nothing.
    member_id: Mapped[UUID]
    member_name: Mapped[str] = mapped_column(String(128))
    role_rank: Mapped[int] = mapped_column(SmallInteger)
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(128))
    last_login_at: Mapped[datetime | None]

    project: Mapped[Project] = relationship(lazy="joined", viewonly=True)
    member: Mapped[Member | None] = relationship(
        lazy="joined", viewonly=True, primaryjoin="foreign(RoleBinding.member_id) == Member.id"
    )

    @property
    def iam_role(self) -> RoleName:
        return RoleName(self.partition, self.account_id, self.role_name)

    @property
    def ceiling(self) -> Role:
        return Role(self.role_rank)

    @property
    def role(self) -> Role | None:
        """What it may do at this moment: never more than its member."""
        return min(self.ceiling, self.member.role) if self.member else None


class LoginReplay(Base):
    """A proof that was used, by its signature. Kept for longer than a proof is good."""

    __tablename__ = "login_replay"

    signature: Mapped[str] = mapped_column(String(64), primary_key=True)
    used_at: Mapped[datetime] = mapped_column(index=True)
