"""Partitions as Hive's SHOW PARTITIONS prints them, which is what the original clients returned."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    import pyarrow as pa

_ESCAPED = re.compile(r"[\x00-\x1f\"#%'*/:=?\\\x7f{\[\]^]")
_NULL = "__HIVE_DEFAULT_PARTITION__"


def partition_table(partitions: Iterable[Mapping[str, Optional[str]]]) -> pa.Table:
    """One column `partition`, one row `score=1/year=2019` each."""
    import pyarrow as pa

    names = ["/".join(f"{_escaped(key)}={_escaped(value)}" for key, value in each.items()) for each in partitions]
    return pa.table({"partition": pa.array(names, pa.string())})


def _escaped(value: Optional[str]) -> str:
    return _NULL if value is None else _ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", str(value))
