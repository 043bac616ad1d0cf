"""Feature groups show the jobs that compute them."""

import re
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from app.featurestore.feature_groups.models import FeatureGroup

_MOST_JOBS = 100
_LABEL = re.compile(r"(?P<name>[a-z0-9_]+)_(?P<version>[1-9][0-9]{0,8})")


def link_job(session: Session, project_id: UUID, feature_groups: Sequence[str], job: str) -> None:
    """Names are `name_version`; what is not there, or shows the job already, stays as it is."""
    labels = [match for match in map(_LABEL.fullmatch, feature_groups) if match]
    if not labels:
        return
    named = or_(
        *(and_(FeatureGroup.name == label["name"], FeatureGroup.version == int(label["version"])) for label in labels)
    )
    for group in session.scalars(select(FeatureGroup).where(FeatureGroup.project_id == project_id, named)):
        if job not in group.jobs and len(group.jobs) < _MOST_JOBS:
            group.jobs = [*group.jobs, job]
