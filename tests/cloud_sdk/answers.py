"""Things as the gateway describes them."""

# ruff: noqa: E501 - one line each


def group(name="teams_features", version=1, features=("team_id", "team_budget"), **changes):
    return {
        "id": "0197", "project": "football", "featurestore": "football_featurestore", "name": name, "version": version, "kind": "CACHED",
        "description": "Teams", "primary_key": ["team_id"], "event_time": None, "partition_by": [],
        "features": [{"name": each, "type": "BIGINT", "description": "-", "primary": each == "team_id", "partition": False} for each in features],
        "tags": {}, "jobs": [], "created_at": "2026-01-01T00:00:00Z", "created_by": "ada", "updated_at": "2026-01-01T00:00:00Z",
        "table_version": 0, "revision": 1, "a_field_of_a_newer_gateway": 1, **changes,
    }  # fmt: skip


def dataset(name="positions", version=1, **changes):
    return {
        "id": "0198", "project": "football", "name": name, "version": version, "kind": "INTERNAL", "description": "", "data_format": "parquet",
        "features": [{"name": "team_id", "type": "BIGINT"}], "jobs": [], "created_at": "2026-01-01T00:00:00Z", "created_by": "ada",
        "path": "s3://bucket/x", "rows": 2, "bytes": 10, "revision": 1, **changes,
    }  # fmt: skip
