"""What `oast doctor` looks at beyond what `oast serve` insists on: a gateway serves without a worker, and on a full disk."""

import shutil
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from app.checks import Check
from app.container import Container
from app.featurestore.jobs.models import JobRun, RunState
from infra.errors import GatewayError

LEAST_ROOM = 1 << 30
_MOST_WAITING = timedelta(minutes=5)


def run_standing_checks(container: Container) -> list[Check]:
    return [_room_check(container), _worker_check(container)]


def _room_check(container: Container) -> Check:
    """Where frames wait and the embedded database lies."""
    settings = container.settings
    folders = [path for path in (settings.data_dir, settings.uploads.spool_dir) if path and path.is_dir()]
    free = {path: shutil.disk_usage(path).free for path in folders}
    said = (
        ", ".join(f"{path}: {room / (1 << 30):.1f} GiB free" for path, room in free.items()) or "no folder of its own"
    )
    if min(free.values(), default=LEAST_ROOM) < LEAST_ROOM:
        return Check("room", passed=False, detail=said, fix="make room: writes and queries spill to disk")
    return Check("room", passed=True, detail=said)


def _worker_check(container: Container) -> Check:
    """Whether runs wait that somebody should have taken long ago."""
    now = container.clock.now()
    with_state = func.count(JobRun.id)
    waiting = select(with_state).where(JobRun.state == RunState.QUEUED.value, JobRun.not_before < now - _MOST_WAITING)
    running = select(with_state).where(JobRun.state == RunState.RUNNING.value, JobRun.lease_until > now)
    try:
        with container.database.read() as session:
            late, busy = session.scalar(waiting) or 0, session.scalar(running) or 0
    except (SQLAlchemyError, GatewayError) as error:
        return Check("worker", passed=False, detail=type(error).__name__, fix="mend the database first")
    if late and not busy:
        return Check(
            "worker", passed=False, detail=f"{late} runs wait and nobody takes them", fix="start `oast worker`"
        )
    return Check("worker", passed=True, detail=f"{busy} runs at work, {late} late ones")
