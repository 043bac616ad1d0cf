"""Credentials given to clients: each project's switch, and whether the store was seen to hold them to their table"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "project_vending",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_project_vending_project_id")),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_project_vending")),
    )
    op.create_table(
        "vending_proof",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("minter", sa.Text(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("checks", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vending_proof")),
    )


def downgrade() -> None:
    op.drop_table("vending_proof")
    op.drop_table("project_vending")
