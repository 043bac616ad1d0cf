"""Storage connectors, and feature groups on demand that read through them"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "storage_connector",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("options", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("secret_ref", sa.String(length=700), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_storage_connector_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storage_connector")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_storage_connector_project_id_name")),
    )
    with op.batch_alter_table("feature_group", schema=None) as batch_op:
        batch_op.add_column(sa.Column("query", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("connector_id", sa.Uuid(), nullable=True))
        batch_op.create_index(batch_op.f("ix_feature_group_connector_id"), ["connector_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_feature_group_connector_id"), "storage_connector", ["connector_id"], ["id"]
        )


def downgrade() -> None:
    with op.batch_alter_table("feature_group", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_feature_group_connector_id"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_feature_group_connector_id"))
        batch_op.drop_column("connector_id")
        batch_op.drop_column("query")

    op.drop_table("storage_connector")
