from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from infra.database.base import Base
from tenancy.principals import Role


class Member(Base):
    """Somebody in a project. The name is a user name or an e-mail address; there are no passwords."""

    __tablename__ = "member"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"))
    name: Mapped[str] = mapped_column(String(128))
    role_rank: Mapped[int] = mapped_column(SmallInteger)
    created_at: Mapped[datetime]

    @property
    def role(self) -> Role:
        return Role(self.role_rank)
