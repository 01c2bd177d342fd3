"""What the pages name exists: functions, files and links."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from window_core import REASONS

_PLACES = ("*.md", "docs/**/*.md", "deploy/**/README.md", "requirements/README.md", "tests/**/README.md")

PAGES = sorted(page for place in _PLACES for page in ROOT.glob(place))

PLACE = re.compile(r"`([\w/]+\.(?:py|java)):([\w.]+)`")
COMMAND = re.compile(r"\.venv/bin/python ((?:-P )?-m tests[\w.]*)")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#([\w-]+))?\)")


def names_of(path: Path) -> set[str]:
    """The functions and classes of a module, methods behind their class; the methods of a Java file."""
    text = path.read_text()
    if path.suffix == ".java":
        return set(re.findall(r"^  [\w<>\[\], ]*?(\w+)\(", text, re.MULTILINE))
    return set(_names(ast.parse(text), ""))


def _names(parent: ast.AST, prefix: str) -> Iterator[str]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield prefix + node.name
            yield from _names(node, f"{prefix}{node.name}.")


def anchors_of(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_function_that_a_page_names_exists(page: Path) -> None:
    missing = [
        f"{file}:{name}"
        for file, name in PLACE.findall(page.read_text())
        if not (ROOT / file).is_file() or name not in names_of(ROOT / file)
    ]
    assert missing == []


def test_the_page_about_the_architecture_names_functions() -> None:
    named = PLACE.findall((ROOT / "docs" / "architecture.md").read_text())
    assert {Path(file).suffix for file, _ in named} == {".py", ".java"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_the_checkout_leads_somewhere(page: Path) -> None:
    dead = []
    for target, anchor in LINK.findall(page.read_text()):
        if "://" in target:
            continue
        path = page.parent / target
        if not path.exists() or (anchor and anchor not in anchors_of(path)):
            dead.append(f"{target}#{anchor}")
    assert dead == []


def test_every_file_that_the_page_for_contributors_names_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`((?:[\w-]+/)+[\w.-]*)`", text))
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "docs/rules.md"])
def test_each_reason_for_a_rejection_has_a_row_in_the_order_of_checking(page: str) -> None:
    rows = re.findall(r"^ *\| `([A-Z_]+)` \|", (ROOT / page).read_text(), re.MULTILINE)
    assert rows == [reason for reason in REASONS if reason in rows]
    assert {*REASONS} - {*rows} <= ({"REFUSED"} if page == "docs/rules.md" else set())  # which is no event


def test_every_command_of_the_tests_that_a_page_names_starts_as_pasted() -> None:
    commands = {found for page in PAGES for found in COMMAND.findall(page.read_text())}
    assert len(commands) > 3
    for options in commands:
        command = [sys.executable, *options.split(), "--help"]
        subprocess.run(command, cwd=ROOT, env={}, check=True, capture_output=True)
