"""docs/api.md against the routes, the schemas and the codes."""

import importlib
import pkgutil
import re

from marshmallow import Schema
from werkzeug.routing import Rule

import app.api.schemas
from tests.docs.pages import code, codes, read, spans, table
from tests.world import World

PREFIX = "/api/v1"
PLACEHOLDERS = {"run_id": "r", "project": "p", "version": "v", "share_id": "id"}
METHODS = "GET|POST|PUT|PATCH|DELETE"


def _as_documented(rule: Rule) -> str:
    things = {"/feature-groups/": "g", "/training-datasets/": "t", "/jobs/": "j"}
    thing = next((short for part, short in things.items() if part in rule.rule), "name")

    def placeholder(match: re.Match[str]) -> str:
        name = match[1]
        return "{" + (thing if name == "name" else PLACEHOLDERS.get(name, name)) + "}"

    return re.sub(r"<(?:\w+:)?(\w+)>", placeholder, rule.rule).removeprefix(PREFIX)


def _routes(world: World) -> set[str]:
    return {
        f"{method} {_as_documented(rule)}"
        for rule in world.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_every_route_is_documented_and_no_other(world: World) -> None:
    documented = [span for span in spans(read("docs/api.md")) if re.fullmatch(rf"({METHODS}) /\S*", span)]
    assert len(documented) == len(set(documented))
    assert set(documented) == _routes(world)


def test_what_a_success_answers(world: World) -> None:
    """Routes that answer 201, 202 or 204 say so."""
    text = read("docs/api.md")
    paths = world.app.test_client().get(f"{PREFIX}/openapi.json").get_json()["paths"]
    rules = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule): rule for rule in world.app.url_map.iter_rules()}
    for path, operations in paths.items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            start = re.escape(f"- `{method.upper()} {_as_documented(rules[path])}`")
            entry = re.search(rf"^{start}(.*?)(?=^- |^$)", text, re.MULTILINE | re.DOTALL)
            assert entry, (method, path)
            said = re.search(r"→ (201|202|204)", entry[1])
            assert (said[1] if said else "200") in operation["responses"], (method, path)


def test_every_field_is_documented() -> None:
    text = read("docs/api.md")
    for found in pkgutil.iter_modules(app.api.schemas.__path__, "app.api.schemas."):
        for name, schema in vars(importlib.import_module(found.name)).items():
            if not (isinstance(schema, type) and issubclass(schema, Schema) and schema.__module__ == found.name):
                continue
            for field in schema._declared_fields:
                parameter = name.endswith("Query")
                assert (f"?{field}=" if parameter else f'"{field}"') in text, f"{name}.{field}"


def test_codes_are_those_of_the_errors_page() -> None:
    statuses = {code(row["Code"]): row["Status"] for row in table("docs/errors.md", "Of the API")}
    mentioned = re.findall(r"\b(4\d\d|503) `([a-z-]+)`", read("docs/api.md") + read("docs/permissions.md"))
    assert mentioned
    assert all(statuses[name] == status for status, name in mentioned)


def test_codes_in_words_exist() -> None:
    statuses = {code(row["Code"]) for row in table("docs/errors.md", "Of the API")}
    rows = table("docs/api.md", "Rows")
    assert len(rows) >= 9
    assert all(codes(row["answer"])[-1] in statuses for row in rows)
