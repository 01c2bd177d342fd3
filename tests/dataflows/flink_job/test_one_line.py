"""What is wrong before the job begins is one line and an exit status, and the pod's last word."""

from pathlib import Path

import click
import pytest

from dataflows.connectors.kafka.client import BrokerError
from dataflows.flink_job import one_line
from dataflows.flink_job.one_line import told_in_one_line
from dataflows.settings import run_options
from runtime.errors import SettingsError


def status_of(error: Exception) -> int:
    with pytest.raises(SystemExit) as ended, told_in_one_line():
        raise error
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    ("error", "status"),
    [(SettingsError("wrong"), 2), (click.BadParameter("wrong"), 2), (BrokerError("wrong"), 1)],
)
def test_who_is_at_fault_decides_the_status(error: Exception, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(error) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("latecomer: ")
    assert err.endswith("wrong\n")


def test_a_message_of_several_lines_is_one_that_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    status_of(SettingsError("first\n  second\x1b[2J"))
    assert capsys.readouterr().err == "latecomer: first second\\u001b[2J\n"


def test_kubernetes_is_told_where_it_looks_and_no_file_is_made_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "termination-log"
    monkeypatch.setattr(one_line, "_LAST_WORD", log)
    status_of(SettingsError("wrong"))
    assert not log.exists()
    log.touch()
    status_of(SettingsError("wrong\x1b[2J"))
    assert log.read_text() == "latecomer: wrong\\u001b[2J"


def test_what_fails_later_is_flinks_to_tell() -> None:
    with pytest.raises(OSError, match="disk is full"), told_in_one_line():
        raise OSError("disk is full")


def test_a_variable_of_no_setting_is_told_before_the_job_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LATECOMER_RUN_TICKS", "5m")
    begun: list[object] = []
    command = click.command()(run_options(lambda **options: begun.append(options)))
    with pytest.raises(SystemExit), told_in_one_line():
        command(args=[], standalone_mode=False)
    assert capsys.readouterr().err.startswith("latecomer: LATECOMER_RUN_TICKS is not a setting")
    assert begun == []
