"""Inserts whose rows clients put into S3 themselves."""

from app.bootstrap.parts import Parts
from app.bootstrap.rows import Rows
from app.bootstrap.stored import Stored
from app.featurestore.staging.files import StagingLimits
from app.featurestore.staging.service import StagingService


def build_staging(parts: Parts, rows: Rows, stored: Stored) -> StagingService:
    uploads, vending = parts.settings.uploads, parts.settings.vending
    return StagingService(
        **parts.reading,
        clock=parts.clock,
        vending=rows.vending,
        groups=stored.feature_groups,
        locations=stored.locations,
        store=parts.store,
        limits=StagingLimits(uploads.max_bytes, uploads.max_expanded_bytes, uploads.spool_dir),
        direct_from=vending.from_bytes if vending.role else None,
    )
