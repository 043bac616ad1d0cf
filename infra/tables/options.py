"""How delta-rs reaches the warehouse."""

from infra.storage.location import Warehouse


def storage_options(warehouse: Warehouse) -> dict[str, str]:
    """Options for the object store of delta-rs; empty for a directory.

    Commits on S3 are conditional puts, and it is said here, because delta-rs would otherwise take its environment's word
    for a lock table or an unsafe rename. Absent keys leave the default AWS chain to delta-rs.
    """
    s3 = warehouse.s3
    if s3 is None:
        return {}
    options = {
        "AWS_REGION": s3.region,
        "AWS_ENDPOINT_URL": s3.endpoint_url,
        "AWS_ACCESS_KEY_ID": s3.access_key_id,
        "AWS_SECRET_ACCESS_KEY": s3.secret_access_key,
        "AWS_SESSION_TOKEN": s3.session_token,
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false" if s3.path_style else None,
        "AWS_ALLOW_HTTP": "true" if s3.allows_http else None,
        "AWS_SERVER_SIDE_ENCRYPTION": "aws:kms" if s3.kms_key else None,
        "AWS_SSE_KMS_KEY_ID": s3.kms_key,
        "AWS_CONDITIONAL_PUT": "etag",
        "AWS_S3_ALLOW_UNSAFE_RENAME": "false",
        "connect_timeout": "2s",
        "timeout": "30s",
        "max_retries": "3",
        "retry_timeout": "30s",
        "pool_idle_timeout": "30s",
        "pool_max_idle_per_host": "32",
    }
    return {name: value for name, value in options.items() if value is not None}
