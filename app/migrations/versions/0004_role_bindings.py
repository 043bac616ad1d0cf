"""Role bindings, used login proofs, and the keys that sessions are signed with"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "role_binding",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("partition", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("role_name", sa.String(length=64), nullable=False),
        sa.Column("role_unique_id", sa.String(length=128), nullable=True),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("member_name", sa.String(length=128), nullable=False),
        sa.Column("role_rank", sa.SmallInteger(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_role_binding_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_binding")),
        sa.UniqueConstraint(
            "project_id",
            "partition",
            "account_id",
            "role_name",
            name=op.f("uq_role_binding_project_id_partition_account_id_role_name"),
        ),
    )
    op.create_table(
        "login_replay",
        sa.Column("signature", sa.String(length=64), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("signature", name=op.f("pk_login_replay")),
    )
    with op.batch_alter_table("login_replay", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_replay_used_at"), ["used_at"], unique=False)

    op.create_table(
        "signing_key",
        sa.Column("generation", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kid", sa.String(length=16), nullable=False),
        sa.Column("pepper_id", sa.String(length=12), nullable=False),
        sa.Column("sealed", sa.LargeBinary(length=128), nullable=False),
        sa.Column("active_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("generation", name=op.f("pk_signing_key")),
        sa.UniqueConstraint("kid", name=op.f("uq_signing_key_kid")),
    )


def downgrade() -> None:
    op.drop_table("signing_key")
    with op.batch_alter_table("login_replay", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_login_replay_used_at"))

    op.drop_table("login_replay")
    op.drop_table("role_binding")
