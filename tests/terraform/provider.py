"""Speaks Terraform's plugin protocol with the recorded schema of the AWS provider, which no registry has to be reached for.

Terraform is real: it validates modules against the schema, and its own mocks stand for what AWS would answer. Only
what it asks of a provider for that is here.
"""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SCHEMA = Path(__file__).with_name("schema.json")
# What the module `secrets` asks for, which Terraform compares, and what it gets.
PEPPER = {
    "length": 64,
    "lower": False,
    "upper": False,
    "numeric": True,
    "special": True,
    "override_special": "abcdef",
    "result": "0123456789abcdef" * 4,
}
_TYPES = {int: "number", bool: "bool", str: "string"}
RANDOM_PASSWORD = {
    "attributes": {name: [_TYPES[type(value)], "optional"] for name, value in PEPPER.items()},
    "blocks": {},
}
AWS = {
    "attributes": {"region": ["string", "optional"]},
    "blocks": {
        "default_tags": [{"attributes": {"tags": [["map", "string"], "required"]}, "blocks": {}}, "one", "optional"]
    },
}
NOTHING: dict[str, Any] = {"attributes": {}, "blocks": {}}
# Of tfplugin5.proto: message → field → (number, type). A type with `*` is repeated, one with `{}` a map from text.
_MESSAGES = {
    "Empty": {},
    "DynamicValue": {"msgpack": (1, "bytes"), "json": (2, "bytes")},
    "Attribute": {
        "name": (1, "string"),
        "type": (2, "bytes"),
        "required": (4, "bool"),
        "optional": (5, "bool"),
        "computed": (6, "bool"),
        "write_only": (10, "bool"),
    },
    "NestedBlock": {
        "type_name": (1, "string"),
        "block": (2, "Block"),
        "nesting": (3, "int64"),
        "min_items": (4, "int64"),
        "max_items": (5, "int64"),
    },
    "Block": {"version": (1, "int64"), "attributes": (2, "Attribute*"), "block_types": (3, "NestedBlock*")},
    "Schema": {"version": (1, "int64"), "block": (2, "Block")},
    "Schemas": {
        "provider": (1, "Schema"),
        "resource_schemas": (2, "Schema{}"),
        "data_source_schemas": (3, "Schema{}"),
        "ephemeral_resource_schemas": (8, "Schema{}"),
    },
    "Prepared": {"prepared_config": (1, "DynamicValue")},
    "PrepareRequest": {"config": (1, "DynamicValue")},
    "Opened": {"result": (3, "DynamicValue")},
}
_LIST = 2
_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bytes": _FIELD.TYPE_BYTES,
    "string": _FIELD.TYPE_STRING,
    "bool": _FIELD.TYPE_BOOL,
    "int64": _FIELD.TYPE_INT64,
}


@contextmanager
def providers() -> Iterator[dict[str, str]]:
    """The variables by which Terraform finds them, in place of downloading any."""
    recorded = json.loads(SCHEMA.read_text(encoding="utf-8"))
    aws = _schemas(AWS, resource_schemas=recorded["resource"], data_source_schemas=recorded["data"])
    random = _schemas(NOTHING, ephemeral_resource_schemas={"random_password": RANDOM_PASSWORD})
    with _serving(aws) as at_aws, _serving(random) as at_random:
        found = {"hashicorp/aws": at_aws, "hashicorp/random": at_random}
        reattach = {f"registry.terraform.io/{name}": _reattach(port) for name, port in found.items()}
        # Nobody's mirrors of providers: these two are all that there is.
        yield {"TF_REATTACH_PROVIDERS": json.dumps(reattach), "TF_CLI_CONFIG_FILE": os.devnull}


def _reattach(port: int) -> dict[str, Any]:
    address = {"Network": "tcp", "String": f"127.0.0.1:{port}"}
    return {"Protocol": "grpc", "ProtocolVersion": 5, "Pid": os.getpid(), "Test": True, "Addr": address}


@contextmanager
def _serving(schemas: Any) -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tfplugin5.Provider", _methods(schemas)),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


def _methods(schemas: Any) -> dict[str, grpc.RpcMethodHandler]:
    def prepare(request: Any) -> Any:
        return _message("Prepared")(prepared_config=request.config)

    def open_password(_request: Any) -> Any:
        return _message("Opened")(result={"json": json.dumps(PEPPER).encode()})

    def nothing(_request: Any) -> Any:
        return _message("Empty")()

    nothings = ("Configure", "Stop", "ValidateResourceTypeConfig", "ValidateDataSourceConfig")
    ephemeral = ("ValidateEphemeralResourceConfig", "CloseEphemeralResource")
    return {
        "GetSchema": _method("Empty", lambda _request: schemas),
        "PrepareProviderConfig": _method("PrepareRequest", prepare),
        "OpenEphemeralResource": _method("Empty", open_password),
        **{name: _method("Empty", nothing) for name in (*nothings, *ephemeral)},
    }


def _method(request: str, answer: Callable[[Any], Any]) -> grpc.RpcMethodHandler:
    return grpc.unary_unary_rpc_method_handler(
        lambda message, _context: answer(message),
        request_deserializer=_message(request).FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )


def _schemas(provider: dict[str, Any], **kinds: dict[str, Any]) -> Any:
    made = _message("Schemas")(provider={"block": _block(provider)})
    for field, types in kinds.items():
        for name, recorded in types.items():
            getattr(made, field)[name].block.CopyFrom(_block(recorded))
    return made


def _block(recorded: dict[str, Any]) -> Any:
    block = _message("Block")()
    for name, (kind, use) in recorded["attributes"].items():
        is_write_only = name.endswith("_wo") and use == "optional"
        block.attributes.add(
            name=name,
            type=json.dumps(kind).encode(),
            required=use == "required",
            optional=use == "optional",
            # What may be left out is filled in by AWS: the harder case, since it is not known beforehand.
            computed=use != "required" and not is_write_only and recorded is not AWS,
            write_only=is_write_only,
        )
    for name, (inner, count, use) in recorded["blocks"].items():
        least = int(use == "required")
        most = 0 if count == "many" else 1
        block.block_types.add(type_name=name, block=_block(inner), nesting=_LIST, min_items=least, max_items=most)
    return block


def _message(name: str) -> Any:
    return _classes()[name]


@cache
def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="tfplugin5.proto", package="tfplugin5", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            _add_field(message, field, number, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = {name: pool.FindMessageTypeByName(f"tfplugin5.{name}") for name in _MESSAGES}
    return {name: message_factory.GetMessageClass(descriptor) for name, descriptor in found.items()}


def _add_field(message: Any, name: str, number: int, kind: str) -> None:
    of = kind.removesuffix("*").removesuffix("{}")
    field = message.field.add(name=name, number=number, label=_FIELD.LABEL_OPTIONAL)
    if kind != of:
        field.label = _FIELD.LABEL_REPEATED
    if kind.endswith("{}"):
        entry = "".join(word.capitalize() for word in name.split("_")) + "Entry"
        nested = message.nested_type.add(name=entry)
        nested.options.map_entry = True
        _add_field(nested, "key", 1, "string")
        _add_field(nested, "value", 2, of)
        field.type, field.type_name = _FIELD.TYPE_MESSAGE, f".tfplugin5.{message.name}.{entry}"
    elif of in _SCALARS:
        field.type = _SCALARS[of]
    else:
        field.type, field.type_name = _FIELD.TYPE_MESSAGE, f".tfplugin5.{of}"
