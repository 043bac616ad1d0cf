"""Jobs, their runs, statistics, reports of validations, and training datasets that lie elsewhere"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("arguments", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("feature_groups", sa.JSON(), nullable=False),
        sa.Column("schedule", sa.String(length=100), nullable=True),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("next_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("requester", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_job_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_job_project_id_name")),
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_job_next_run_at"), ["next_run_at"], unique=False)

    op.create_table(
        "statistics",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("options", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("computed_by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_statistics_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statistics")),
        sa.UniqueConstraint("subject_id", "state", name=op.f("uq_statistics_subject_id_state")),
    )
    with op.batch_alter_table("statistics", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_statistics_project_id"), ["project_id"], unique=False)

    op.create_table(
        "job_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("job_name", sa.String(length=63), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=160), nullable=False),
        sa.Column("arguments", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("trigger", sa.String(length=16), nullable=False),
        sa.Column("requester", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("requested_by", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=128), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("handle", sa.String(length=256), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("stage", sa.String(length=64), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_job_run_job_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_job_run_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_run")),
    )
    with op.batch_alter_table("job_run", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_job_run_handle"), ["handle"], unique=False)
        batch_op.create_index(batch_op.f("ix_job_run_job_id"), ["job_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_job_run_project_id_id"), ["project_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_job_run_state_not_before"), ["state", "not_before"], unique=False)
        batch_op.create_index(batch_op.f("ix_job_run_subject"), ["subject"], unique=False)

    op.create_table(
        "job_run_line",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["job_run.id"], name=op.f("fk_job_run_line_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_job_run_line")),
    )
    with op.batch_alter_table("feature_group", schema=None) as batch_op:
        batch_op.add_column(sa.Column("statistics", sa.JSON(none_as_null=True), nullable=True))
        batch_op.add_column(sa.Column("expectations", sa.JSON(none_as_null=True), nullable=True))

    op.create_table(
        "validation_report",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("feature_group_id", sa.Uuid(), nullable=False),
        sa.Column("of", sa.String(length=16), nullable=False),
        sa.Column("table_version", sa.BigInteger(), nullable=True),
        sa.Column("policy", sa.String(length=16), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(
            ["feature_group_id"],
            ["feature_group.id"],
            name=op.f("fk_validation_report_feature_group_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_validation_report_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_validation_report")),
    )
    with op.batch_alter_table("validation_report", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_validation_report_feature_group_id_id"), ["feature_group_id", "id"], unique=False
        )

    with op.batch_alter_table("training_dataset", schema=None) as batch_op:
        batch_op.add_column(sa.Column("connector_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("external_path", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("statistics", sa.JSON(none_as_null=True), nullable=True))
        batch_op.create_index(batch_op.f("ix_training_dataset_connector_id"), ["connector_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_training_dataset_connector_id"), "storage_connector", ["connector_id"], ["id"]
        )

    with op.batch_alter_table("location", schema=None) as batch_op:
        batch_op.add_column(sa.Column("connector_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("external_path", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("files", sa.JSON(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_location_connector_id"), "storage_connector", ["connector_id"], ["id"]
        )


def downgrade() -> None:
    with op.batch_alter_table("location", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_location_connector_id"), type_="foreignkey")
        batch_op.drop_column("files")
        batch_op.drop_column("external_path")
        batch_op.drop_column("connector_id")
    with op.batch_alter_table("training_dataset", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_training_dataset_connector_id"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_training_dataset_connector_id"))
        batch_op.drop_column("statistics")
        batch_op.drop_column("external_path")
        batch_op.drop_column("connector_id")

    with op.batch_alter_table("validation_report", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_validation_report_feature_group_id_id"))

    op.drop_table("validation_report")
    with op.batch_alter_table("feature_group", schema=None) as batch_op:
        batch_op.drop_column("expectations")
        batch_op.drop_column("statistics")

    op.drop_table("job_run_line")
    with op.batch_alter_table("job_run", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_job_run_subject"))
        batch_op.drop_index(batch_op.f("ix_job_run_state_not_before"))
        batch_op.drop_index(batch_op.f("ix_job_run_project_id_id"))
        batch_op.drop_index(batch_op.f("ix_job_run_job_id"))
        batch_op.drop_index(batch_op.f("ix_job_run_handle"))

    op.drop_table("job_run")
    with op.batch_alter_table("statistics", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_statistics_project_id"))

    op.drop_table("statistics")
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_job_next_run_at"))

    op.drop_table("job")
