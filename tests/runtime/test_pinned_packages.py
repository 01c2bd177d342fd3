"""What is said of packages that another install has moved."""

from pathlib import Path

import pytest

from runtime.pinned_packages import moved_packages
from tests.conftest import ROOT


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    (tmp_path / "run.in").write_text("# what is needed\nnumpy==2.1.3\npyjwt[crypto]\ngrpcio-tools\nrich\n")
    (tmp_path / "constraints.txt").write_text(
        "grpcio-tools==1.65.5\nnumpy==2.1.3\npyjwt==2.9.0\nrich==15.0.0 ; python_version > '3'\nbeam==2.61.0\n"
    )
    return tmp_path


def environment(folder: Path, *packages: str) -> Path:
    site = folder / "site"
    for package in packages:
        (site / f"{package}.dist-info").mkdir(parents=True)
    (site / "numpy").mkdir()
    return site


@pytest.mark.parametrize(
    ("packages", "says"),
    [
        (("numpy-2.1.3", "PyJWT-2.9.0", "grpcio_tools-1.65.5", "rich-15.0.0", "beam-1.0"), None),
        (("numpy-2.2.0", "PyJWT-2.9.0"), "numpy 2.2.0 (pinned: 2.1.3)"),
        (
            ("grpcio_tools-1.70.0", "PyJWT-3.0.0", "rich-14.0.0"),
            "pyjwt 3.0.0 (pinned: 2.9.0), grpcio-tools 1.70.0 (pinned: 1.65.5), rich 14.0.0 (pinned: 15.0.0)",
        ),
        (("numpy-2.1.3rc1",), "numpy 2.1.3rc1 (pinned: 2.1.3)"),
    ],
)
def test_a_needed_package_of_another_version_is_named_with_its_pin(
    tmp_path: Path, requirements: Path, packages: tuple[str, ...], says: str | None
) -> None:
    assert moved_packages(requirements, environment(tmp_path, *packages)) == says


def test_an_installed_package_has_no_pins_and_says_nothing(tmp_path: Path, requirements: Path) -> None:
    site = environment(tmp_path, "numpy-2.2.0")
    (requirements / "constraints.txt").unlink()
    assert moved_packages(requirements, site) is None
    assert moved_packages(requirements, tmp_path / "nowhere") is None


def test_this_environment_has_what_is_pinned_and_every_need_has_a_pin() -> None:
    requirements = ROOT / "requirements"
    assert moved_packages(requirements) is None
    needed = [line for line in (requirements / "run.in").read_text().splitlines() if line and line[0] != "#"]
    pinned = (requirements / "constraints.txt").read_text()
    for line in needed:
        assert f"\n{line.split('==')[0].split('[')[0]}==" in pinned
