"""The real parts that tests run against: an S3 store, a PostgreSQL server, AWS control APIs. All come from PyPI."""
