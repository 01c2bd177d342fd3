"""What goes into an image is named, and has a hash: nothing else of a checkout, and nothing unpinned of an index."""

import fnmatch
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

DOCKERFILES = sorted((ROOT / "deploy" / "docker").glob("*.Dockerfile"))
FOLDERS = {"protos", "window_core", "runtime", "grpc_services/python", "dataflows"}
"""Copied whole: the allow-list of ``.dockerignore`` lets only files of their kind in."""

STRAYS = (
    ".git/config",
    ".venv/pyvenv.cfg",
    "dataflows/secret.pem",
    "dataflows/pipeline/.env",
    "deploy/kubernetes/overlays/mine/client.properties",
    "grpc_services/python/key.json",
    "latecomer-output/predictions.jsonl",
    "tests/conftest.py",
)


def instructions(dockerfile: Path) -> list[str]:
    return re.sub(r"\\\n", " ", dockerfile.read_text()).splitlines()


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_each_package_has_a_hash_and_nothing_is_built_in_isolation(dockerfile: Path) -> None:
    for line in instructions(dockerfile):
        for command in re.findall(r"pip (?:install|wheel|download)[^&|;]*", line):
            assert "--require-hashes" in command or {"--no-deps", "--no-index"} <= set(command.split()), command
            assert "pip wheel" not in command or "--no-build-isolation" in command
        assert "mvn " not in line or "--strict-checksums" in line


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_a_release_can_name_each_base_by_its_digest(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    bases = re.findall(r"^ARG (\w+)=\S+:\S+$", text, re.MULTILINE)
    used = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    stages = set(re.findall(r"^FROM \S+ AS (\w+)$", text, re.MULTILINE))
    assert set(used) - stages == {f"${{{base}}}" for base in bases}
    assert used[-1] == f"${{{bases[-1]}}}"  # which the label of a release names


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_what_is_copied_is_named(dockerfile: Path) -> None:
    for line in instructions(dockerfile):
        if line.startswith("COPY ") and "--from=" not in line:
            sources = [word for word in line.split()[1:-1] if not word.startswith("--")]
            for source in sources:
                assert (ROOT / source).is_file() or source in FOLDERS or source.endswith("/src/main"), line


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_no_python_of_an_image_looks_into_the_current_folder(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    assert "PYTHONPATH=" not in text or "PYTHONSAFEPATH=1" in text


def reaches_a_build(path: str) -> bool:
    """Whether the last line of ``.dockerignore`` that matches a file, or a folder of it, lets it in."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    found = True
    for line in lines:
        pattern = line.removeprefix("!").replace("**/", "*")
        parts = [path, *map(str, Path(path).parents)]
        if any(fnmatch.fnmatch(part, pattern) for part in parts):
            found = line.startswith("!")
    return found


@pytest.mark.parametrize("stray", STRAYS)
def test_only_files_of_a_known_kind_reach_a_build(stray: str) -> None:
    assert not reaches_a_build(stray)


def test_every_source_of_an_image_reaches_its_build() -> None:
    sources = [*ROOT.glob("dataflows/*/*.py"), *ROOT.glob("*/java/src/main/**/*.java"), *ROOT.glob("protos/**/*.proto")]
    assert len(sources) > 100
    for source in (
        *sources,
        ROOT / "LICENSE",
        ROOT / "requirements/run.txt",
        ROOT / "deploy/docker/flink-entrypoint.sh",
    ):
        assert reaches_a_build(str(source.relative_to(ROOT))), source


def test_the_wheel_is_made_by_what_has_a_hash() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()
    [requires] = re.findall(r"^requires = (\[.*?\])", pyproject, re.MULTILINE)
    pinned = (ROOT / "requirements" / "build.txt").read_text()
    for requirement in re.findall(r'"([^"]+)"', requires):
        assert re.search(rf"^{re.escape(requirement)} ", pinned, re.MULTILINE), requirement


@pytest.mark.parametrize("image", ["python-services", "flink-job"])
def test_the_command_of_an_image_names_a_python_that_the_image_has(image: str) -> None:
    text = "\n".join(instructions(ROOT / "deploy" / "docker" / f"{image}.Dockerfile"))
    [environment] = re.findall(r"(\S+)/bin/pip install [^\n]*--target /opt/latecomer", text)
    last_stage = text.rpartition("\nFROM ")[2]
    assert re.search(rf"^COPY --from=\w+ {environment} {environment}$", last_stage, re.MULTILINE)


def test_a_release_is_not_made_of_what_no_commit_has(tmp_path: Path) -> None:
    """Its label would name a commit that is something else."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    for name in ("docker", "syft"):
        (tmp_path / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/built\n")
        (tmp_path / name).chmod(0o755)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    release = [tmp_path / "deploy" / "release.sh", tmp_path / "released"]
    ended = subprocess.run(release, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == "release.sh: the checkout has changes that no commit has: commit or stash them\n"
    assert not (tmp_path / "built").exists()
