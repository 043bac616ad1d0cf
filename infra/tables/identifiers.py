"""Names in SQL."""


def quoted(name: str) -> str:
    """An identifier; DuckDB and DataFusion agree on this form."""
    return '"' + name.replace('"', '""') + '"'
