"""The inputs and outputs of a run, checked before anything starts.

Whether a topic is there is a question to its broker: see ``kafka.topic``.
"""

import os
import sys
from pathlib import Path
from typing import NamedTuple

from dataflows.connectors.kafka.client import kafka_location
from dataflows.settings import KAFKA_SCHEME, RunSettings
from runtime.errors import SettingsError

__all__ = ["STANDARD", "Locations", "is_kafka", "is_parquet", "located", "rejections_beside", "sample_beside"]

STANDARD = "-"
"""Standard input, or standard output."""

SAMPLE_FILE = "sample-events.jsonl"
"""The sample that a run makes for itself, beside its output; by this name it is in nobody's way."""


class Locations(NamedTuple):
    """Paths, ``-`` for standard input and output, or topics as ``kafka://HOST:PORT/TOPIC``.

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
    predictions = settings.outputs.predictions
    _check_output("--output", predictions, settings)
    rejections = settings.outputs.rejections
    if rejections is None:
        rejections = rejections_beside(predictions)
    source = settings.log.input
    locations = Locations(
        sample_beside(predictions) if source is None else source, predictions, rejections, makes_sample=source is None
    )
    _check_input(locations, settings)
    _check_output("--rejections", rejections, settings)
    _check_distinct(locations)
    return locations


def sample_beside(predictions: str) -> str:
    """Where the sample is that a run without an input makes for itself."""
    has_folder = predictions != STANDARD and not is_kafka(predictions)
    return str((Path(predictions).parent if has_folder else Path(os.devnull).parent) / SAMPLE_FILE)


def is_kafka(location: str) -> bool:
    return location.startswith(KAFKA_SCHEME)


def is_parquet(path: str) -> bool:
    return path.endswith(".parquet") and not is_kafka(path)


def rejections_beside(predictions: str) -> str:
    """Where rejections go if nothing else is said."""
    if predictions == STANDARD:
        raise SettingsError("--rejections must be given where --output is standard output")
    if is_kafka(predictions):
        return str(kafka_location("--output", predictions)._replace(topic="rejections"))
    return str(Path(predictions).with_name("rejections.parquet" if is_parquet(predictions) else "rejections.jsonl"))


def _check_input(locations: Locations, settings: RunSettings) -> None:
    if locations.makes_sample:
        if locations.predictions == STANDARD or is_kafka(locations.predictions):
            raise SettingsError("--input must be given where --output is standard output or Kafka")
        return
    if is_kafka(locations.input):
        kafka_location("--input", locations.input)
        return
    if locations.input == STANDARD:
        if sys.stdin is None:
            raise SettingsError("--input -: standard input is closed")
        if settings.state.folder is not None:
            raise SettingsError("--state cannot be kept for standard input: it cannot be read a second time")
        return
    _check_name("--input", locations.input)
    path = Path(locations.input)
    if not path.exists():
        raise SettingsError(f"--input {path} does not exist")
    if path.is_dir():
        raise SettingsError(f"--input {path} is a folder, not a file")
    if path.is_fifo() and settings.state.folder is not None:
        raise SettingsError(f"--state cannot be kept for the pipe --input {path}: it cannot be read a second time")
    if not os.access(path, os.R_OK):
        raise SettingsError(f"--input {path} may not be read")


def _check_output(flag: str, path: str, settings: RunSettings) -> None:
    if is_kafka(path):
        kafka_location(flag, path)
        return
    if path == STANDARD:
        if settings.state.folder is not None:
            raise SettingsError(
                f"{flag} - cannot be used with --state: standard output cannot be truncated on resuming"
            )
        return
    if is_parquet(path) and settings.state.folder is not None:
        raise SettingsError(f"{flag} {path}: Parquet cannot be used with --state, because it is written at the end")
    if is_parquet(path) and not settings.log.has_end:
        raise SettingsError(f"{flag} {path}: Parquet is written at the end, so an input from Kafka needs --bounded")
    if not path:
        raise SettingsError(f"{flag} must name a file")
    _check_name(flag, path)
    if "://" in path:
        raise SettingsError(f"{flag} {path}: a location is a file, -, or {KAFKA_SCHEME}HOST:PORT/TOPIC")
    if Path(path).is_fifo() and settings.state.folder is not None:
        raise SettingsError(f"{flag} {path} cannot be used with --state: a pipe cannot be truncated on resuming")
    if Path(path).is_dir():
        raise SettingsError(f"{flag} {path} is a folder, not a file")
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{flag} {path}: {error.strerror}") from None
    if not os.access(path if Path(path).exists() else Path(path).parent, os.W_OK):
        raise SettingsError(f"{flag} {path} may not be written")


def _check_name(flag: str, path: str) -> None:
    """The name of a file stands in states and in the record of a run, which are texts."""
    if not path.isprintable() and any("\ud800" <= character <= "\udfff" for character in path):
        raise SettingsError(f"{flag} {path}: the name of the file is not UTF-8")


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
        file = path if is_kafka(path) else _file_of(Path(path))
        if file in seen:
            what = "topic" if is_kafka(path) else "file"
            raise SettingsError(f"{flag} and {seen[file]} are the same {what}, {path}")
        seen[file] = flag


def _file_of(path: Path) -> object:
    """What two names of one file have in common, links included."""
    try:
        found = path.stat()
    except OSError:
        return path.resolve()
    return found.st_dev, found.st_ino
