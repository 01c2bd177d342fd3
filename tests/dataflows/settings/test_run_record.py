"""The run record says what decided the outputs, and commands read it where they are told nothing else."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from dataflows import __version__
from dataflows.settings import RunSettings, record_beside, recorded, replay_options, write_record
from runtime.settings import values_of

SET = {
    "interval_ms": 5_400_000,
    "max_events": 7,
    "sensors": ("celsius", "door?"),
    "fields": ("time=at.ts",),
    "time_unit": "s",
    "lenient": True,
    "until_ms": 1_587_920_555_000,
    "inference": "a:1,b:2",
    "input": "events.jsonl",
}


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    predictions = tmp_path / "p.jsonl"
    settings = RunSettings.of(predictions=str(predictions), parallelism=2, quiet=True, **SET)
    write_record(settings, str(tmp_path / "events.jsonl"))
    return predictions


def looked_at(outputs: Path, *arguments: str) -> tuple[dict[str, Any], list[str]]:
    """The settings of a command about these outputs, and what it tells."""
    told: list[str] = []
    found: dict[str, Any] = {}

    @click.command()
    @replay_options("LATECOMER_LOOK_")
    def look(**options: Any) -> None:
        found.update(recorded(options, told.append))

    CliRunner().invoke(look, ["--output", str(outputs), *arguments], catch_exceptions=False, standalone_mode=False)
    return found, told


def test_a_command_without_options_has_the_settings_of_the_run(outputs: Path, tmp_path: Path) -> None:
    found, told = looked_at(outputs)
    assert told == []
    expected = RunSettings.of(**{**SET, "input": str(tmp_path / "events.jsonl"), "predictions": str(outputs)})
    assert RunSettings.of_replay(**found) == expected


def test_a_given_option_wins_and_the_difference_is_told(outputs: Path) -> None:
    found, told = looked_at(outputs, "--interval", "10h", "--max-events", "7", "--forget-after", "8d")
    assert (found["interval_ms"], found["max_events"]) == (36_000_000, 7)
    assert [line.partition(": ")[2] for line in told] == [
        "the outputs were written with --interval 90m, not 10h",
        "the outputs were written with --forget-after 7d, not 8d",  # a default is not in the record
    ]


def test_another_input_has_another_end_and_another_service_is_asked_alone(outputs: Path) -> None:
    found, _ = looked_at(outputs, "--input", "others.jsonl", "--model", "m:model")
    assert (found["input"], found["until_ms"], found["inference"], found["model"]) == (
        "others.jsonl", None, None, "m:model",
    )  # fmt: skip


def test_another_version_is_told(outputs: Path) -> None:
    record = record_beside(str(outputs))
    assert record is not None
    record.write_text(record.read_text().replace(__version__, "0.0.9"))
    assert looked_at(outputs)[1] == [f"{record}: the outputs were written by latecomer 0.0.9, this is {__version__}"]


def test_a_damaged_record_is_an_error(outputs: Path) -> None:
    Path(f"{outputs}.run.toml").write_text("interval =")
    with pytest.raises(ValueError, match=r"run\.toml"):
        looked_at(outputs)


def test_a_run_on_standard_input_leaves_no_record_of_another(outputs: Path) -> None:
    settings = RunSettings.of(predictions=str(outputs), input="-")
    write_record(settings, "-")
    assert not Path(f"{outputs}.run.toml").exists()


@pytest.mark.parametrize("predictions", ["-", "kafka://a:1/predictions", "/dev/null"])
def test_outputs_in_no_file_have_no_record(predictions: str) -> None:
    assert record_beside(predictions) is None


def test_a_record_is_a_file_of_settings_for_another_run(outputs: Path) -> None:
    found: dict[str, Any] = {}

    @click.command()
    @replay_options("LATECOMER_LOOK_")
    def look(**options: Any) -> None:
        found.update(options)

    CliRunner().invoke(look, ["--config", f"{outputs}.run.toml"], catch_exceptions=False, standalone_mode=False)
    settings = RunSettings.of(**found)
    assert values_of(replace(settings.log, input=None)) == values_of(RunSettings.of(**SET | {"input": None}).log)
