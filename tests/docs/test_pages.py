"""What pages point at is there: folders, contracts, files, links, commands, functions."""

import ast
import hashlib
import inspect
import re
import tomllib
from pathlib import Path

import click
import pytest

import hops.featurestore as fs
from app.cli import main
from tests.docs.pages import DOCS, PAGES, ROOT, anchors, code, fences, links, read, spans, table

SOURCES = ("app", "tenancy", "infra", "cloud_sdk", "tests", "examples")
NO_PART_OF_THE_HOUSE = re.compile(r"\.|__pycache__|.*\.egg-info|build$|dist$|oast-data$")
STATIC = ROOT / "app" / "api" / "static"
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def _folders(parent: Path) -> set[Path]:
    """Folders that hold something."""
    return {
        found
        for found in parent.iterdir()
        if found.is_dir()
        and not NO_PART_OF_THE_HOUSE.match(found.name)
        and any(f.is_file() for f in found.rglob("[!.]*.*"))
    }


def test_architecture_lists_the_folders() -> None:
    documented = {code(row["Folder"]) for row in table("docs/architecture.md", "The house")}
    assert {folder for folder in documented if not (ROOT / folder).is_dir()} == set()
    packages = {
        found
        for root in ("app", "tenancy", "infra")
        for found in (ROOT / root).rglob("*")
        if (found / "__init__.py").is_file() and "versions" not in found.parts
    }
    there = {f"{found.relative_to(ROOT)}/" for found in _folders(ROOT) | packages | {STATIC}}
    assert there <= documented


def test_architecture_lists_the_import_contracts() -> None:
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    documented = [row["Contract"] for row in table("docs/architecture.md", "Who may import whom")]
    assert documented == [contract["name"] for contract in contracts]
    stacks = {contract["containers"][0]: contract["layers"] for contract in contracts if "containers" in contract}
    drawn = [block.splitlines() for block in fences(read("docs/architecture.md"), "text")]
    assert {lines[0]: lines[1:] for lines in drawn} == stacks


def test_architecture_lists_the_states_of_a_location() -> None:
    from app.featurestore.locations.models import LocationState

    documented = [code(row["State"]) for row in table("docs/architecture.md", "Crash consistency")]
    assert documented == [state.value for state in LocationState]


def test_performance_lists_the_subjects() -> None:
    modules = {module.stem for module in (ROOT / "benchmarks" / "subjects").glob("[!_]*.py")}
    assert {code(row["Subject"]) for row in table("docs/performance.md", "Subjects")} == modules


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page.read_text(encoding="utf-8")):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        found = (page.parent / target).resolve() if target else page
        assert found.exists(), link
        assert found.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(found.read_text(encoding="utf-8")), link


@each_page
def test_files_that_a_page_names_exist(page: Path) -> None:
    for span in spans(page.read_text(encoding="utf-8")):
        if not re.fullmatch(r"[\w/.-]+\.(py|toml|md|lock)", span) or "://" in span:
            continue
        elsewhere = [] if "/" in span else [found for root in SOURCES for found in (ROOT / root).rglob(span)]
        assert elsewhere or (ROOT / span).exists(), span


@each_page
def test_no_page_names_a_place_on_somebodys_machine(page: Path) -> None:
    text = re.sub(r"https?://\S+", "", page.read_text(encoding="utf-8"))
    assert not re.search(
        r"(?<![\w.<>}-])(?:/(?:home|root|Users|tmp|var|mnt|opt|srv|work|usr)/|[A-Z]:\\|\.\./shared)", text
    )


@each_page
def test_commands_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for line in [*spans(text), *"\n".join(fences(text, "bash")).splitlines()]:
        for words in re.findall(r"(?:^|[(;|& ])oast((?: [a-z]+)+)", line):
            command: click.Command = main
            for word in words.split():
                if not isinstance(command, click.Group):
                    break
                assert word in command.commands, line
                command = command.commands[word]


@each_page
def test_options_of_commands_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for line in [*spans(text), *"\n".join(fences(text, "bash")).splitlines()]:
        for words in re.findall(r"(?:^|[(;|& ])oast( [a-z].*)", line):
            command: click.Command = main
            for word in words.split():
                if isinstance(command, click.Group):
                    command = command.commands.get(word, command)
                elif word.startswith("--"):
                    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
                    assert word.partition("=")[0] in known, line


@each_page
def test_make_targets_that_a_page_names_exist(page: Path) -> None:
    makefile = read("Makefile")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    text = page.read_text(encoding="utf-8")
    for line in [*spans(text), *"\n".join(fences(text, "bash")).splitlines()]:
        named = re.match(r"make ([a-z][a-z-]*)", line)
        if named:
            assert named[1] in phony[1].split(), line
            assert re.search(rf"^{named[1]}:", makefile, re.MULTILINE), line


@each_page
def test_python_on_a_page_calls_what_there_is(page: Path) -> None:
    for block in fences(page.read_text(encoding="utf-8"), "python"):
        for call in ast.walk(ast.parse(block)):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and _is_sdk(call.func.value):
                assert call.func.attr in fs.__all__, call.func.attr
                keywords = {str(keyword.arg): None for keyword in call.keywords}
                inspect.signature(getattr(fs, call.func.attr)).bind(*call.args, **keywords)


def _is_sdk(owner: ast.expr) -> bool:
    return isinstance(owner, ast.Name) and owner.id == "fs"


def test_decisions_are_numbered_short_and_listed() -> None:
    decisions = sorted((DOCS / "adr").glob("0*.md"))
    listed = [(int(row["Number"]), links(row["Decision"])[0]) for row in table("docs/adr/README.md", "Decisions")]
    assert listed == [(number, page.name) for number, page in enumerate(decisions, start=1)]
    for number, page in enumerate(decisions, start=1):
        text = page.read_text(encoding="utf-8")
        assert page.name.startswith(f"{number:04d}-")
        assert text.startswith(f"# {number}. ")
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
        assert len(text.splitlines()) <= 50


def test_vendored_files_are_those_of_the_lock() -> None:
    lines = re.findall(r"^([0-9a-f]{64})  (\S+)$", (STATIC / "vendor.lock").read_text(), re.MULTILINE)
    locked = {name: digest for digest, name in lines}
    there = {str(file.relative_to(STATIC)) for file in (STATIC / "swagger-ui").iterdir()}
    assert set(locked) == there - {"swagger-ui/LICENSE", "swagger-ui/NOTICE"}
    assert locked == {name: hashlib.sha256((STATIC / name).read_bytes()).hexdigest() for name in locked}


def test_licence_is_the_apache_licence_unchanged() -> None:
    # The text at https://www.apache.org/licenses/LICENSE-2.0.txt
    expected = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == expected
    assert tomllib.loads(read("pyproject.toml"))["project"]["license"] == "Apache-2.0"
