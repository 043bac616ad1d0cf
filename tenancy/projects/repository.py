from sqlalchemy import select
from sqlalchemy.orm import Session

from tenancy.projects.models import Project


class ProjectRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, name: str) -> Project | None:
        return self._session.scalar(select(Project).where(Project.name == name))
