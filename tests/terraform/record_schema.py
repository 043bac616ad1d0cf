"""Records anew which arguments the AWS provider takes, for the types that terraform/ uses: run it when one is added.

    pip download --no-deps cdktf-cdktf-provider-aws==21.22.1
    python -m tests.terraform.record_schema cdktf_cdktf_provider_aws-21.22.1-*.whl

The wheel, nobody's dependency, holds the provider's schema as an interface of TypeScript (.jsii).
"""

import io
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from tests.terraform.command import ROOT
from tests.terraform.provider import SCHEMA

RECORDED_FROM = "the AWS provider for Terraform, version 6.25.0, as its bindings for Python describe it"
_PACKAGE = "@cdktf/provider-aws"
_PRIMITIVE = {"string": "string", "number": "number", "boolean": "bool", "any": "string"}
_MAPS = {"cdktf.StringMap": "string", "cdktf.BooleanMap": "bool", "cdktf.NumberMap": "number"}
_OF_CDKTF = {"internalValue", "fqn"}


class Interface:
    """`.jsii`: every struct and class of the bindings by its name."""

    def __init__(self, wheel: Path) -> None:
        with zipfile.ZipFile(wheel) as files:
            inner = next(name for name in files.namelist() if name.endswith(".jsii.tgz"))
            with tarfile.open(fileobj=io.BytesIO(files.read(inner))) as archive:
                found = archive.extractfile("package/.jsii")
                assert found is not None
                self._types = json.load(found)["types"]

    def record(self, kind: str, name: str) -> dict[str, Any]:
        """Arguments of one resource or data source, and what it computes."""
        words = (f"data_{name}" if kind == "data" else name.removeprefix("aws_")).split("_")
        camel = "".join(word.capitalize() for word in words)
        inside = f"{_PACKAGE}.{camel[0].lower()}{camel[1:]}."
        members = [known for known in self._types if known.startswith(inside)]
        config = next(known for known in members if re.search(r"Config(A)?$", known) and self._is_config(known))
        block = self._block(config)
        owner = next(known for known in members if known in {f"{inside}{camel}", f"{inside}{camel}A"})
        for one in self._types[owner]["properties"]:
            attribute, computed = _snake(one["name"]), self._type(one["type"])
            is_known = attribute in block["attributes"] or attribute in block["blocks"]
            if not (is_known or one.get("static") or one["name"].endswith("Input")) and isinstance(
                computed, str | list
            ):
                block["attributes"][attribute] = [computed, "computed"]
        return _sorted(block)

    def _is_config(self, name: str) -> bool:
        return bool(self._types[name].get("interfaces") == ["cdktf.TerraformMetaArguments"])

    def _block(self, struct: str) -> dict[str, Any]:
        made: dict[str, Any] = {"attributes": {}, "blocks": {}}
        for one in self._types[struct].get("properties", []):
            kind, name = self._type(one["type"]), _name(one)
            use = "optional" if one.get("optional") else "required"
            is_many = isinstance(kind, list) and isinstance(kind[1], tuple)
            inner = kind[1] if is_many else kind
            if not isinstance(inner, tuple):
                made["attributes"][name] = [kind, use]
                continue
            block = self._block(inner[0])
            if " block." in one["docs"].get("summary", ""):
                made["blocks"][name] = [block, "many" if is_many else "one", use]
            else:
                whole = ["object", {attribute: of[0] for attribute, of in block["attributes"].items()}]
                made["attributes"][name] = [["list", whole] if is_many else whole, use]
        return made

    def _type(self, of: dict[str, Any]) -> Any:
        """As Terraform writes types; a struct as a tuple of its name; None where it is none of the provider's."""
        if "primitive" in of:
            return _PRIMITIVE[of["primitive"]]
        if "collection" in of:
            inner = self._type(of["collection"]["elementtype"])
            return inner and ["list" if of["collection"]["kind"] == "array" else "map", inner]
        if "union" in of:
            meant = [one for one in of["union"]["types"] if one.get("fqn") != "cdktf.IResolvable"]
            return self._type(meant[0])
        name = of["fqn"]
        if name.startswith("cdktf."):
            return "bool" if name == "cdktf.IResolvable" else (name in _MAPS and ["map", _MAPS[name]]) or None
        return self._computed(name) if name.endswith(("List", "OutputReference")) else (name,)

    def _computed(self, name: str) -> Any:
        reference = name if name.endswith("OutputReference") else f"{name.removesuffix('List')}OutputReference"
        fields = {
            _snake(one["name"]): self._type(one["type"])
            for one in self._types[reference].get("properties", [])
            if one["name"] not in _OF_CDKTF and not one["name"].endswith("Input")
        }
        whole = ["object", {field: kind for field, kind in sorted(fields.items()) if kind}]
        return ["list", whole] if name.endswith("List") else whole


def _name(one: dict[str, Any]) -> str:
    """As Terraform has it: the documentation links to it."""
    linked = re.search(r"#(\w+) ", one["docs"].get("remarks", "") + one["docs"].get("summary", ""))
    return linked[1] if linked else _snake(one["name"])


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])|([A-Z])(?=[a-z])", lambda found: f"_{found[0]}", name).lower().lstrip("_")


def _sorted(block: dict[str, Any]) -> dict[str, Any]:
    blocks = {
        name: [_sorted(inner), *rest] for name, (inner, *rest) in sorted(block["blocks"].items()) if name != "timeouts"
    }
    return {"attributes": dict(sorted(block["attributes"].items())), "blocks": blocks}


def main() -> None:
    interface = Interface(Path(sys.argv[1]))
    text = "\n".join(file.read_text() for file in (ROOT / "terraform").rglob("*.tf"))
    parts = [f'"recorded_from": {json.dumps(RECORDED_FROM)}']
    for kind in ("data", "resource"):
        names = sorted(set(re.findall(rf'^{kind} "(aws_\w+)"', text, re.MULTILINE)))
        lines = [f'"{name}": {json.dumps(interface.record(kind, name), separators=(",", ":"))}' for name in names]
        parts.append(f'"{kind}": {{\n' + ",\n".join(lines) + "\n}")
    SCHEMA.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
