"""The pages that are tables of something in the code say what the code says."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from app.featurestore.feature_groups.frames import MAX_COLUMNS
from app.featurestore.locations.service import CLAIM_LIFETIME
from app.server import keep_alive_seconds, silent_seconds
from app.settings import PREFIX, LimitSettings, ServerSettings, Settings
from app.web.bodies import MAX_JSON_BYTES
from app.web.problems import STATUS
from hops.featurestore.profiles import VARIABLES as PRESETS
from infra.database.engine import LOCK_TIMEOUT_SECONDS
from infra.database.idempotency import KEPT, LEASE
from infra.database.paging import DEFAULT_LIMIT, MAX_LIMIT
from infra.errors import GatewayError
from infra.identity import proofs, sts
from tenancy import attempts
from tenancy.actions import RULES, Rule, ShareKind
from tenancy.principals import Role
from tenancy.role_bindings import replays
from tenancy.scopes import CONTAINS, DEFAULT_SCOPES, Scope
from tenancy.sessions import keys, tokens
from tests.docs.modules import classes
from tests.docs.pages import PAGES, Row, code, codes, read, table
from tests.world import World

NONE = "\N{EN DASH}"
COMMAND_LINE_ONLY = {
    "already-initialised",
    "demo-not-installed",
    "demo-part-failed",
    "key-not-published",
    "key-publishing-unknown",
    "pepper-unusable",
    "plain-text-refused",
    "programs-not-valid",
    "setting-secret-unusable",
    "warehouse-not-proven",
    "warehouse-overlaps",
}
OF_THE_FRAMEWORK = {"method-not-allowed": 405}
SDK_VARIABLES = {"OAST_ALLOW_UNVERIFIED_TLS", "OAST_PROGRESS", "OAST_PROFILE", *PRESETS.values()}
PROGRAM_VARIABLES = {"OAST_RUN_ID", "OAST_JOB", "OAST_PROJECT", "OAST_ATTEMPT"}
_NUMBERS = {4: "four", 5: "five", 7: "seven", 10: "ten"}
PREFIXES = {"OAST_SECRET"}  # of variables that secrets are read from


def _statuses_in_code() -> dict[str, int]:
    statuses: dict[str, int] = {}
    for error in classes():
        if issubclass(error, GatewayError):
            status = STATUS[error.kind].value
            assert statuses.setdefault(error.code, status) == status, f"{error.code} has two statuses"
    return statuses


def test_errors_of_the_api() -> None:
    documented = {code(row["Code"]): int(row["Status"]) for row in table("docs/errors.md", "Of the API")}
    in_code = {name: status for name, status in _statuses_in_code().items() if name not in COMMAND_LINE_ONLY}
    assert documented == in_code | OF_THE_FRAMEWORK


def test_errors_of_the_command_line() -> None:
    documented = {code(row["Code"]) for row in table("docs/errors.md", "Of the command line")}
    assert set(_statuses_in_code()) >= COMMAND_LINE_ONLY
    assert '"settings-not-valid"' in read("app/terminal.py")
    assert documented == COMMAND_LINE_ONLY | {"settings-not-valid"}


def test_every_error_says_what_it_is_and_what_to_do() -> None:
    rows = table("docs/errors.md", "Of the API") + table("docs/errors.md", "Of the command line")
    assert all(row["Meaning"].endswith(".") and row["What to do"].endswith(".") for row in rows)


def test_refusals_of_the_framework(world: World) -> None:
    answer = world.call("PUT", "/me")
    assert {answer.get_json()["code"]: answer.status_code} == OF_THE_FRAMEWORK


def _minutes(span: timedelta) -> str:
    return f"{_NUMBERS[span.seconds // 60]} minutes"


def test_spans_of_time_in_prose() -> None:
    """Numbers that a reader relies on and that have no table."""
    silent = silent_seconds(Settings())
    kept = keep_alive_seconds(Settings(server=ServerSettings(behind_tls_proxy=True)))
    said = {
        "docs/serving.md": [
            f"at the latest {LEASE.seconds} s later",
            f"`OAST_SERVER__WORKERS` processes ({ServerSettings().workers})",
            f"({ServerSettings().threads}, and no fewer)",
            f"{silent} s\nwith the defaults",
            f"keeps connections for 75 s more, {kept} s",
            f"within {_NUMBERS[attempts.WINDOW_SECONDS]} seconds",
        ],
        "docs/settings.md": [f"of one address in {_NUMBERS[attempts.WINDOW_SECONDS]} seconds"],
        "docs/adr/0003-exactly-once-inserts.md": [f"for {LEASE.seconds} seconds", f"kept for {KEPT.days} days"],
        "docs/adr/0007-one-unit-of-work-two-databases.md": [f"waits longer than {LOCK_TIMEOUT_SECONDS} s"],
        "docs/api.md": [f"Kept for {KEPT.days} days", f"1 to {MAX_LIMIT}, default {DEFAULT_LIMIT}"],
        "docs/architecture.md": [f"once it is {CLAIM_LIFETIME.total_seconds() / 3600:.0f} hours old"],
        "docs/keyless.md": [
            f"for {_minutes(proofs.WINDOW)}; remembered for {replays.KEPT.seconds // 60}.",
            f"answers a session of {tokens.LIFE.seconds // 60} minutes",
            f"{LimitSettings().logins} in {_NUMBERS[attempts.WINDOW_SECONDS]} seconds",
            f"asks AWS {_NUMBERS[sts.AT_ONCE]} questions at once",
        ],
        "docs/adr/0023-keyless-login.md": [f"signs for {_NUMBERS[keys.PERIOD.days]} days"],
        "docs/errors.md": [f"More than {MAX_JSON_BYTES >> 20} MiB of JSON", f"More than {MAX_COLUMNS:,} columns"],
    }
    for page, sentences in said.items():
        text = read(page)
        assert [sentence for sentence in sentences if sentence not in text] == [], page


def _settings(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from _settings(section, f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}", field


def test_settings() -> None:
    documented = table("docs/settings.md", "Settings")
    in_code = dict(_settings(Settings, PREFIX))
    assert [code(row["Variable"]) for row in documented] == list(in_code)
    for row in documented:
        field = in_code[code(row["Variable"])]
        assert row["Meaning"] == field.description
        default = None if row["Default"] == NONE else code(row["Default"])
        assert TypeAdapter(field.annotation).validate_python(default) == field.default, row


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_variable_on_a_page_is_a_setting(page: str) -> None:
    mentioned = set(re.findall(r"OAST_[A-Z0-9_]*[A-Z0-9]", read(page)))
    assert mentioned <= {name for name, _ in _settings(Settings, PREFIX)} | SDK_VARIABLES | PROGRAM_VARIABLES | PREFIXES


def _action_row(action: str, rule: Rule) -> Row:
    shares = sorted(kind.value for kind in rule.shared_by)
    return {
        "Action": f"`{action}`",
        "Scope": f"`{rule.scope.value}`" if rule.scope else "any",
        # No member's key has the scope, so no role is ever asked.
        "Lowest role": NONE if rule.scope is Scope.OPERATOR else f"`{rule.role.label}`",
        "Through a share of": ", ".join(f"`{kind}`" for kind in shares) or NONE,
        "Operator": "yes" if rule.operator else NONE,
    }


def test_actions() -> None:
    assert table("docs/permissions.md", "Actions") == [_action_row(action, rule) for action, rule in RULES.items()]


def test_scopes() -> None:
    documented = {code(row["Scope"]): set(codes(row["Contains"])) for row in table("docs/permissions.md", "Scopes")}
    assert documented == {scope.value: {part.value for part in CONTAINS.get(scope, ())} for scope in Scope}
    usual = " and ".join(f"`{scope.value}`" for scope in DEFAULT_SCOPES)
    assert f"A key that asks for no scopes gets {usual}, those of the original clients." in read("docs/permissions.md")


def test_roles() -> None:
    documented = [code(row["Role"]) for row in table("docs/permissions.md", "Roles")]
    assert documented == [role.label for role in sorted(Role)]


def test_life_of_a_share(world: World) -> None:
    world.projects("venues", "football", "rivals")
    shares, kind = world.container.shares, ShareKind.FEATURE_STORE
    seen = {"pending": world.offer("venues", "football", kind).state, "accepted": world.share("venues", "rivals").state}
    offered = world.offer("football", "venues", kind)
    seen["declined"] = shares.decline(world.context("venues"), "venues", offered.id).state
    offered = world.offer("football", "venues", kind)
    shares.end(world.context("football"), "football", offered.id)
    world.offer("rivals", "football", kind, expires_at=world.clock.now() + timedelta(days=1))
    world.clock.ahead = timedelta(days=2)
    listed = world.call("GET", "/projects/football/shares", world.key("football", fresh=True)).get_json()["items"]
    seen |= {share["state"]: share["state"] for share in listed if share["state"] in ("ended", "expired")}
    documented = {code(row["State"]): row["Next"] for row in table("docs/permissions.md", "Life of a share")}
    assert set(documented) == set(seen) == set(seen.values())
    assert all(set(codes(following)) <= set(documented) for following in documented.values())


def test_what_an_invisible_thing_answers(world: World) -> None:
    world.projects("venues", "football", "rivals")
    world.share("venues", "football")
    key = world.key("football")
    asked = ["/projects/rivals/feature-groups", "/projects/venues/training-datasets", "/projects/venues/members"]
    answers = [world.call("GET", path, key) for path in asked]
    rows = table("docs/permissions.md", "What an invisible thing answers")
    assert [row["Answer"] for row in rows] == [f"{a.status_code} `{a.get_json()['code']}`" for a in answers]
    absent = world.call("GET", "/projects/nowhere/feature-groups", key)
    assert absent.get_json()["code"] == answers[0].get_json()["code"]


def test_glossary_names_what_there_is(world: World) -> None:
    known = {found.__name__: found for found in classes()}
    for row in table("docs/glossary.md", "Glossary"):
        name, _, attribute = code(row["Code"]).partition(".")
        assert name in known, row
        assert not attribute or _has(known[name], attribute), row


def _has(owner: type, attribute: str) -> bool:
    return hasattr(owner, attribute) or any(
        attribute in vars(base).get("__annotations__", {}) for base in owner.__mro__
    )


def test_glossary_has_every_word_of_the_addresses(world: World) -> None:
    words = {
        part for rule in world.app.url_map.iter_rules() for part in rule.rule.split("/") if part and "<" not in part
    }
    plain = {
        "api",
        "v1",
        "versions",
        "files",
        "rotate",
        "recreate",
        "accept",
        "decline",
        "cancel",
        "retry",
        "test",
        "livez",
        "readyz",
        "docs",
        "static",
        "openapi.json",
        "aws",
    }
    documented = {code(row["URL"]) for row in table("docs/glossary.md", "Glossary") if row["URL"] != NONE}
    assert documented == words - plain
