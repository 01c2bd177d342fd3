"""The wheel holds what it should and nothing else; an installed package can deploy, for the manifests are in it."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.dataflows.commands import TIMEOUT_S

STRAYS = ("dataflows/secret.pem", "grpc_services/python/key.json", "deploy/kubernetes/overlays/mine/client.properties")
"""What may lie in a checkout, and is nobody else's business."""

SOURCES = (
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "window_core",
    "runtime",
    "dataflows",
    "grpc_services",
    "protos",
    "deploy",
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in use: built, with secrets of a user in it."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in (*SOURCES, "tests", "benchmarks"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "target"))
        else:
            shutil.copy(ROOT / name, folder)
    for name in STRAYS:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("secret")
    return folder


@pytest.fixture(scope="module")
def installed(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-P", "-m", "build", "--wheel", "--no-isolation", "--skip-dependency-check"]
    subprocess.run([*build, f"--outdir={folder}", checkout], check=True, capture_output=True, timeout=TIMEOUT_S)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "installed")
    return folder / "installed"


def test_the_wheel_holds_the_packages_their_data_and_the_manifests_and_nothing_else(
    checkout: Path, installed: Path
) -> None:
    packages = ("window_core", "runtime", "dataflows", "grpc_services")
    wanted = {str(path.relative_to(checkout)) for name in packages for path in (checkout / name).rglob("*.py")}
    wanted |= {f"{name}/py.typed" for name in packages}
    wanted |= {"dataflows/kafka_broker/pom.xml", "grpc_services/python/artifacts/log_reg_model_v2.json"}
    template = ("Dockerfile", "README.md", "events.csv", "plant.toml")
    wanted |= {f"dataflows/new_project/template/{name}" for name in template}
    assets = checkout / "dataflows" / "browser" / "assets"
    wanted |= {str(path.relative_to(checkout)) for path in assets.iterdir()}
    stubs = checkout / "grpc_services" / "python" / "stubs"
    wanted |= {str(path.relative_to(checkout)) for path in stubs.rglob("*.py*")}
    jar = "dataflows/flink_job/jars/latecomer-flink-job.jar"
    wanted |= {jar} if (checkout / jar).is_file() else set()
    shipped = files(ROOT / "deploy" / "kubernetes")
    wanted |= {f"dataflows/deployment/kubernetes/{name}" for name in shipped}
    found = {name for name in files(installed) if not name.startswith("latecomer-")}
    assert found == wanted


def test_an_installed_package_says_which_commands_need_a_checkout(installed: Path, tmp_path: Path) -> None:
    for command in ("bench", "test", "parity"):
        finished = subprocess.run(
            [sys.executable, "-P", "-m", "dataflows.command_line", command],
            env={**os.environ, "PYTHONPATH": str(installed)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        assert finished.stderr.startswith(f"latecomer: latecomer {command} needs a checkout")
        assert finished.returncode == 2


def test_an_installed_package_renders_the_same(installed: Path, tmp_path: Path) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on the PATH: install it, see https://kubernetes.io/docs/tasks/tools/")
    assert files(installed / "dataflows" / "deployment" / "kubernetes") == files(ROOT / "deploy" / "kubernetes")
    rendered = {
        str(root): subprocess.run(
            [sys.executable, "-P", "-m", "dataflows.command_line", "deploy", "render"],
            env={**os.environ, "PYTHONPATH": str(root)},
            cwd=tmp_path,
            capture_output=True,
            check=True,
            timeout=TIMEOUT_S,
        ).stdout
        for root in (ROOT, installed)
    }
    assert len(set(rendered.values())) == 1


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
