"""Where a run reads and writes, found out and checked before anything starts."""

import os
import sys
from pathlib import Path
from typing import NamedTuple

from dataflows.settings import RunSettings, SettingsError

__all__ = ["SAMPLE_FILE", "STANDARD", "Locations", "located"]

STANDARD = "-"
"""Standard input, or standard output."""

SAMPLE_FILE = "events.jsonl"
"""The sample that a run makes for itself, beside its output."""


class Locations(NamedTuple):
    """Paths, or ``-`` for standard input and output.

    Attributes:
        input: the events.
        predictions: one output.
        rejections: the other.
        makes_sample: the input is still to be made.
    """

    input: str
    predictions: str
    rejections: str
    makes_sample: bool


def located(settings: RunSettings) -> Locations:
    """Where this run reads and writes; the folders of its outputs are made.

    Raises:
        SettingsError: one of them cannot be used, or they are in each other's way.
    """
    predictions = settings.output
    _check_output("--output", predictions, settings)
    suffix = ".parquet" if is_parquet(predictions) else ".jsonl"
    folder = Path(os.devnull).parent if predictions == STANDARD else Path(predictions).parent
    rejections = settings.rejections
    if rejections is None:
        if predictions == STANDARD:
            raise SettingsError("--rejections must be given where --output is standard output")
        rejections = str(Path(predictions).with_name("rejections" + suffix))
    makes_sample = settings.input is None
    locations = Locations(
        str(folder / SAMPLE_FILE) if settings.input is None else settings.input, predictions, rejections, makes_sample
    )
    _check_input(locations, settings)
    _check_output("--rejections", rejections, settings)
    _check_distinct(locations)
    return locations


def is_parquet(path: str) -> bool:
    return path.endswith(".parquet")


def _check_input(locations: Locations, settings: RunSettings) -> None:
    if locations.makes_sample:
        if locations.predictions == STANDARD:
            raise SettingsError("--input must be given where --output is standard output")
        return
    if locations.input == STANDARD:
        if sys.stdin is None:
            raise SettingsError("--input - needs a standard input, and it is closed")
        if settings.state is not None:
            raise SettingsError("--state cannot be kept for standard input: it cannot be read a second time")
        return
    path = Path(locations.input)
    if not path.exists():
        raise SettingsError(f"--input {path} does not exist")
    if path.is_dir():
        raise SettingsError(f"--input {path} is a folder, not a file")
    if not os.access(path, os.R_OK):
        raise SettingsError(f"--input {path} may not be read")


def _check_output(flag: str, path: str, settings: RunSettings) -> None:
    if path == STANDARD:
        if settings.state is not None:
            raise SettingsError(f"{flag} - cannot be used with --state: standard output cannot be cut back")
        return
    if is_parquet(path) and settings.state is not None:
        raise SettingsError(f"{flag} {path}: Parquet cannot be used with --state, because it is written at the end")
    if not path:
        raise SettingsError(f"{flag} must name a file")
    if Path(path).is_dir():
        raise SettingsError(f"{flag} {path} is a folder, not a file")
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{flag} {path}: {error.strerror}") from None
    if not os.access(path if Path(path).exists() else Path(path).parent, os.W_OK):
        raise SettingsError(f"{flag} {path} may not be written")


def _check_distinct(locations: Locations) -> None:
    paths = {
        "--input": locations.input,
        "--output": locations.predictions,
        "--rejections": locations.rejections,
    }
    seen: dict[object, str] = {}
    for flag, path in paths.items():
        if path == STANDARD or not path or (Path(path).exists() and not Path(path).is_file()):
            continue  # a device or a pipe may serve twice
        file = _file_of(Path(path))
        if file in seen:
            raise SettingsError(f"{flag} and {seen[file]} are the same file, {path}")
        seen[file] = flag


def _file_of(path: Path) -> object:
    """What two names of one file have in common, links included."""
    try:
        found = path.stat()
    except OSError:
        return path.resolve()
    return found.st_dev, found.st_ino
