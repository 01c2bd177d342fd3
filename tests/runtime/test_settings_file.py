"""Settings from a file, and variables that are meant as settings: each is a setting, or an error that names it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from runtime.errors import SettingsError
from runtime.options import settings_options
from runtime.settings import options_of, setting
from runtime.settings_file import check_variables, read_settings


@dataclass(frozen=True)
class _Settings:
    interval_ms: int = setting(36_000_000, "Length.", flag="--interval", kind="duration")
    max_events: int = setting(100, "Most.", kind="integer")
    share: float = setting(0.5, "Share.", kind="share")
    quiet: bool = setting(False, "Say nothing.", kind="switch")
    subjects: tuple[str, ...] = setting((), "Who.", flag="--subject", kind="names")


@click.command()
@settings_options(_Settings, "PUMP_")
def command(**options: Any) -> None:
    click.echo(repr(options))


def told(arguments: list[str], **environment: str) -> dict[str, Any]:
    result = CliRunner().invoke(command, arguments, env=environment, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = eval(result.output)
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


def test_a_file_says_what_the_command_line_would(file: Path) -> None:
    file.write_text('interval = "12h"\nmax-events = 7\nshare = 0.25\nquiet = true\nsubject = ["a", "b"]\n')
    assert told(["--config", str(file)]) == {
        "interval_ms": 43_200_000,
        "max_events": 7,
        "share": 0.25,
        "quiet": True,
        "subjects": ("a", "b"),
    }


def test_the_command_line_comes_before_the_environment_and_that_before_a_file(file: Path) -> None:
    file.write_text('interval = "1h"\nmax-events = 1\nshare = 0.1\n')
    found = told(["--interval", "3h"], PUMP_CONFIG=str(file), PUMP_INTERVAL="2h", PUMP_MAX_EVENTS="2")
    assert (found["interval_ms"], found["max_events"], found["share"]) == (10_800_000, 2, 0.1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('intervall = "1h"', "there is no setting intervall; there is interval"),
        ('interval_ms = "1h"', "there is no setting interval_ms"),
        ('[window]\ninterval = "1h"', "there is no setting window"),
        ("interval = true", "interval cannot be True"),
        ('quiet = "yes"', "quiet cannot be 'yes'"),
        ("subject = [1]", "subject cannot be [1]"),
        ("interval = 1979-05-27", "interval cannot be datetime.date(1979, 5, 27)"),
        ("interval", "Expected '='"),
    ],
)
def test_what_is_no_setting_is_named_with_its_file(file: Path, text: str, says: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError) as refused:
        read_settings(file, options_of(_Settings))
    assert str(refused.value).startswith(f"--config {file}: {says}")


def test_a_file_that_is_not_there_or_no_text_is_named(file: Path) -> None:
    with pytest.raises(SettingsError, match="No such file or directory"):
        read_settings(file, options_of(_Settings))
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="utf-8"):
        read_settings(file, options_of(_Settings))


def test_a_variable_that_is_no_setting_is_an_error_and_those_of_others_are_not() -> None:
    check_variables("PUMP_", ["PUMP_INTERVAL"], {"PUMP_INTERVAL": "1h", "PUMPS": "2", "HOME": "/"})
    with pytest.raises(SettingsError, match=r"^PUMP_INTERVALL is not a setting; there is PUMP_INTERVAL$"):
        check_variables("PUMP_", ["PUMP_INTERVAL"], {"PUMP_INTERVALL": "1h"})


def test_a_variable_without_the_name_of_the_command_is_an_error() -> None:
    known = ["PUMP_RUN_INTERVAL", "PUMP_RUN_PORT"]
    others = {"PUMP_STOP_INTERVAL": "1h", "PUMP_FEATURES_PORT": "1", "RUN_INTERVAL": "1h", "PUMP_HOUSE": "2"}
    check_variables("PUMP_RUN_", known, {"PUMP_RUN_INTERVAL": "1h", **others})
    with pytest.raises(SettingsError, match=r"^PUMP_INTERVAL is not a setting; there is PUMP_RUN_INTERVAL$"):
        check_variables("PUMP_RUN_", known, {"PUMP_RUN_INTERVAL": "1h", "PUMP_INTERVAL": "1h"})


def test_a_command_looks_at_its_variables_before_anything_else() -> None:
    with pytest.raises(SettingsError, match="PUMP_MAX_EVENT is not a setting"):
        CliRunner().invoke(command, [], env={"PUMP_MAX_EVENT": "1"}, catch_exceptions=False)
