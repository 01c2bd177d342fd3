"""The table of names in both languages says what the code says."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ("grpc_services/python", "runtime", "dataflows/services")


def rows() -> list[tuple[list[str], list[str]]]:
    """The names of Python and those of Java, row by row."""
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    section = page.partition("## The services, in both languages\n")[2].partition("\n## ")[0]
    cells = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")][2:]
    return [(re.findall(r"`(\w+)`", python), re.findall(r"`(\w+)`", java)) for _, python, java in cells]


def test_every_name_of_the_table_is_one_of_the_code() -> None:
    files = [path for folder in PYTHON for path in (ROOT / folder).glob("*.py")]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    python = {path.stem for path in files} | set(re.findall(r"^(?:class|def) (\w+)", source, re.MULTILINE))
    java = {path.stem for path in (ROOT / "grpc_services" / "java" / "src" / "main").rglob("*.java")}
    assert len(rows()) > 10
    assert {name for names, _ in rows() for name in names} - python == set()
    assert {name for _, names in rows() for name in names} - java == set()
