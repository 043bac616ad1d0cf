"""Which warehouses there are, and what may be addressed below one."""

from pathlib import Path

import pytest

from infra.errors import InvalidInputError
from infra.storage.local import LocalObjectStore
from infra.storage.location import S3Options, Warehouse, parse_warehouse, path_segments
from infra.storage.s3 import S3ObjectStore
from infra.storage.warehouse import open_object_store
from infra.tables.options import storage_options


def test_a_path_is_its_segments() -> None:
    assert path_segments("a/b-1/c=2_.x") == ("a", "b-1", "c=2_.x")


@pytest.mark.parametrize("root", ["/warehouse", "s3://bucket", "s3://bucket/a"])
def test_a_file_below_the_warehouse_is_its_segments(root: str) -> None:
    warehouse = Warehouse(root)
    assert warehouse.below(f"{root}/p/t/city=New%20York/x y.parquet") == ("p", "t", "city=New%20York", "x y.parquet")
    for elsewhere in (
        "",
        root,
        f"{root}/",
        f"{root}2/x",
        f"{root}/p/../../x",
        f"{root}/./x",
        f"{root}//x",
        f"{root}/s3://other/x",
        f"{root}/x\0",
        "/etc/passwd",
        "s3://other/x",
    ):
        with pytest.raises(InvalidInputError, match="outside the warehouse"):
            warehouse.below(elsewhere)


def test_a_directory_may_be_given_in_three_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert {parse_warehouse(url).url for url in (str(tmp_path), f"file://{tmp_path}", ".")} == {str(tmp_path)}
    assert not parse_warehouse(".").is_s3
    assert isinstance(open_object_store(parse_warehouse(".")), LocalObjectStore)


def test_a_bucket_may_have_a_prefix_or_none() -> None:
    whole, below = parse_warehouse("s3://bucket/"), parse_warehouse("s3://bucket/a/b/", S3Options(region="eu-west-1"))
    assert (whole.url, whole.bucket, whole.prefix) == ("s3://bucket", "bucket", "")
    assert (below.url, below.bucket, below.prefix) == ("s3://bucket/a/b", "bucket", "a/b")
    assert whole.uri("x/y") == "s3://bucket/x/y"
    assert isinstance(open_object_store(below), S3ObjectStore)


@pytest.mark.parametrize(
    "url",
    ["http://host/x", "s3:///x", "s3://bucket/a//b", "s3://bucket/../x", "file://host/x", "/a*", "/a%20b", "/x[1]"],
)
def test_what_is_no_warehouse_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_warehouse(url)


def test_secrets_do_not_print() -> None:
    options = S3Options("r", "http://h:1", "the-key", "the-secret", "the-token")
    assert "the-" not in repr(parse_warehouse("s3://bucket", options))


def test_an_endpoint_means_path_style_and_http_only_where_it_says_so() -> None:
    plain = storage_options(parse_warehouse("s3://bucket", S3Options(endpoint_url="http://localhost:9000")))
    assert (plain["AWS_ALLOW_HTTP"], plain["AWS_VIRTUAL_HOSTED_STYLE_REQUEST"]) == ("true", "false")
    safe = storage_options(parse_warehouse("s3://bucket", S3Options(endpoint_url="https://store.example.com")))
    assert "AWS_ALLOW_HTTP" not in safe
    aws = storage_options(parse_warehouse("s3://bucket"))
    assert {name: value for name, value in aws.items() if name.startswith("AWS_")} == {
        "AWS_CONDITIONAL_PUT": "etag", "AWS_S3_ALLOW_UNSAFE_RENAME": "false",
    }  # fmt: skip


def test_a_whole_bucket_is_a_warehouse_too(seaweedfs) -> None:
    store = S3ObjectStore(parse_warehouse(f"s3://{seaweedfs.new_bucket()}", seaweedfs.options))
    with store.open_output("p/file") as file:
        file.write(b"x")
    assert list(store.list_files("p")) == ["p/file"]
    assert store.delete_prefix("p") == 1
