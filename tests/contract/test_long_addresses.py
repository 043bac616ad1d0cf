"""Names of columns travel in an address, of which servers take only so much: what the SDK sends must fit."""

from pathlib import Path

import pyarrow as pa
import pytest

from hops.featurestore.connection import open_connection
from hops.featurestore.errors import InvalidInputError
from tests.served import served


def test_as_many_columns_as_the_sdk_lets_pass_are_answered(tmp_path: Path) -> None:
    names = [f"column_with_a_long_name_{number:03}" for number in range(150)]
    with served(tmp_path, OAST_SERVER__WORKERS="1") as gateway:
        key = tmp_path / "key"
        key.touch(mode=0o600)
        key.write_text(gateway.oast("key", "create", "football", "--member", "ada")["key"])
        with open_connection(
            gateway.address, "football", secrets_store="local", api_key_file=str(key), quiet=True
        ) as connection:
            long = "d" * 63
            connection.create_training_dataset(long, pa.table({name: [1.5] for name in names}))
            most = next(count for count in range(150, 0, -1) if len("%2C".join(names[:count])) <= 3_500)
            frame = connection.get_training_dataset(long, columns=names[:most])
            assert list(frame) == names[:most]
            with pytest.raises(InvalidInputError, match="more than fit into an address"):
                connection.get_training_dataset(long, columns=names[: most + 1])
