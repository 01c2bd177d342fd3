"""What is wrong with what a command reads again: a line for each, whichever command it is."""

from pathlib import Path

import pytest

from tests.dataflows.commands import latecomer_here

NOBODY = ("--features", "localhost:1", "--inference", "localhost:1", "--timeout", "1s")


@pytest.mark.parametrize(
    "command",
    [
        ("verify", "--output", "p.jsonl"),
        ("revise", "--run", "p.jsonl", "--output", "r.jsonl"),
        ("compare", "--run", "p.jsonl", "--interval", "1h,2h"),
    ],
)
def test_outputs_of_another_version_and_services_that_are_away_are_a_line_each(
    tmp_path: Path, small_log: None, command: tuple[str, ...]
) -> None:
    (tmp_path / "p.jsonl").touch()
    (tmp_path / "rejections.jsonl").touch()
    first = "# Written by latecomer 0.0.9: the settings of the run, for --config.\n"
    (tmp_path / "p.jsonl.run.toml").write_text(f'{first}input = "{tmp_path}/events.jsonl"\n')
    finished = latecomer_here(*command, *NOBODY, cwd=tmp_path)
    version, away = finished.stderr.decode().splitlines()
    assert finished.returncode == 1
    assert "p.jsonl.run.toml: the outputs were written by latecomer 0.0.9" in version
    assert away.startswith("latecomer: the features service at localhost:1 failed")
    assert finished.stdout == b""
    assert not (tmp_path / "r.jsonl").exists()
