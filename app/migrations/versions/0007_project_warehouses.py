"""Warehouses of projects"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "project_warehouse",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("bucket", sa.String(length=63), nullable=False),
        sa.Column("prefix", sa.String(length=512), nullable=False),
        sa.Column("region", sa.String(length=64), nullable=True),
        sa.Column("endpoint_url", sa.Text(), nullable=True),
        sa.Column("role_arn", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("kms_key", sa.Text(), nullable=True),
        sa.Column("proven_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_project_warehouse_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_warehouse")),
    )
    op.create_index(op.f("ix_project_warehouse_project_id"), "project_warehouse", ["project_id"])
    op.create_table(
        "commit_proof",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("proven_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commit_proof")),
    )


def downgrade() -> None:
    op.drop_table("commit_proof")
    op.drop_index(op.f("ix_project_warehouse_project_id"), table_name="project_warehouse")
    op.drop_table("project_warehouse")
