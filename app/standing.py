"""What `oast doctor` looks at beyond what `oast serve` insists on: a gateway serves without a worker, and on a full disk."""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from app.checks import Check
from app.container import Container
from app.featurestore.jobs.models import JobRun, RunState
from app.settings import Settings
from infra.errors import GatewayError
from infra.iam import Place, WarehouseBucket, partition_of

LEAST_ROOM = 1 << 30
_MOST_WAITING = timedelta(minutes=5)


def room_check(settings: Settings) -> Check:
    """Where frames wait and the embedded database lies."""
    folders = [path for path in (settings.data_dir, settings.uploads.spool_dir) if path and path.is_dir()]
    free = {path: shutil.disk_usage(path).free for path in folders}
    said = (
        ", ".join(f"{path}: {room / (1 << 30):.1f} GiB free" for path, room in free.items()) or "no folder of its own"
    )
    if min(free.values(), default=LEAST_ROOM) < LEAST_ROOM:
        return Check("room", passed=False, detail=said, fix="make room: writes and queries spill to disk")
    return Check("room", passed=True, detail=said)


def files_check(container: Container) -> Check:
    """Each thing that is done to files, with one below a folder of its own, which is no table's and no project's."""
    store, folder, content = container.store, f".probe/doctor-{uuid4().hex}", b"oast doctor"
    path = f"{folder}/file"

    def write() -> bool:
        with store.open_output(path) as file:
            file.write(content)
        return True

    def read() -> bool:
        with store.open_input(path) as file:
            return file.read() == content

    steps: tuple[tuple[str, str, Callable[[], bool]], ...] = (
        ("write", "s3:PutObject", write),
        ("read", "s3:GetObject", read),
        ("list", "s3:ListBucket", lambda: list(store.list_files(folder)) == [path]),
        ("delete", "s3:DeleteObject", lambda: store.delete_prefix(folder) == 1 and not list(store.list_files(folder))),
    )
    try:
        return _first_fault(container.settings, steps)
    finally:
        with suppress(GatewayError, OSError):
            store.delete_files([path])


def _first_fault(settings: Settings, steps: tuple[tuple[str, str, Callable[[], bool]], ...]) -> Check:
    url = settings.resolved_warehouse_url
    for verb, action, step in steps:
        try:
            fault = None if step() else "what comes back is not what was written"
        except (GatewayError, OSError) as error:
            fault = error.detail if isinstance(error, GatewayError) else type(error).__name__
        if fault is not None:
            return Check(
                "files", passed=False, detail=f"{url}: cannot {verb}: {fault}", fix=_files_fix(settings, action)
            )
    return Check("files", passed=True, detail=f"{url}: written, read, listed and deleted below .probe/")


def _files_fix(settings: Settings, action: str) -> str:
    url, region = settings.resolved_warehouse_url, settings.warehouse.region or ""
    if not url.startswith("s3://"):
        return "let the gateway's user read and write that folder and all below it"
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    place = WarehouseBucket(Place("", region, partition_of(region)), bucket, prefix.strip("/"))
    resource = place.bucket_arn if action == "s3:ListBucket" else place.objects_arn
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return "the gateway's role needs this, and the bucket's policy must not deny it:\n" + json.dumps(
        statement, indent=2
    )


def worker_check(container: Container) -> Check:
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
