"""``latecomer new`` writes a project whose own test passes, with its feature and its model on both engines."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.dataflows.commands import latecomer


def test_the_test_of_a_new_project_passes(tmp_path: Path, has_flink: None, has_broker: None) -> None:
    made = latecomer("new", "plant", cwd=tmp_path)
    assert made.returncode == 0
    project = tmp_path / "plant"
    assert made.stdout.decode().startswith(
        "plant: Dockerfile, README.md, events.csv, plant.py, plant.toml, test_plant.py"
    )
    assert str(ROOT / "latecomer") in (project / "README.md").read_text()
    tested = subprocess.run([sys.executable, "test_plant.py"], cwd=project, capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    assert "identical" in tested.stdout


def test_a_folder_with_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes").touch()
    refused = latecomer("new", str(tmp_path), cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.decode() == f"latecomer: {tmp_path} is there already, and not an empty folder\n"
