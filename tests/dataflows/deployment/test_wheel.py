"""Who installs the package can deploy: its wheel has the manifests, and the command finds them."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.dataflows.commands import TIMEOUT_S


def test_an_installed_package_renders_the_same(tmp_path: Path) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on the PATH: install it, see https://kubernetes.io/docs/tasks/tools/")
    build = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--skip-dependency-check",
        "--outdir",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(build, check=True, capture_output=True, timeout=TIMEOUT_S)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "installed")
    manifests = tmp_path / "installed" / "dataflows" / "deployment" / "kubernetes"
    sources = ROOT / "deploy" / "kubernetes"
    assert files(manifests) == files(sources)
    rendered = {
        str(root): subprocess.run(
            [sys.executable, "-m", "dataflows.command_line", "deploy", "render"],
            env={**os.environ, "PYTHONPATH": str(root)},
            cwd=tmp_path,
            capture_output=True,
            check=True,
            timeout=TIMEOUT_S,
        ).stdout
        for root in (ROOT, tmp_path / "installed")
    }
    assert len(set(rendered.values())) == 1


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
