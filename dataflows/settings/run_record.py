"""The run record: the settings under which the outputs in a file were written, beside that file.

Whatever reads a log again needs the settings of the run. A run leaves them as a file that ``--config`` takes, named as
its predictions with ``.run.toml`` behind; commands that look at its outputs read it where they are told nothing else.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from dataflows import __version__
from dataflows.settings.log import KAFKA_SCHEME
from dataflows.settings.run import OF_A_LIVE_RUN, OutputSettings, RunSettings
from dataflows.settings.window import WindowSettings
from runtime.options import converted, is_given
from runtime.settings import Option, changed, options_of, setting, setting_text, values_of
from runtime.settings_file import read_settings

__all__ = ["RUN_PREDICTIONS", "record_beside", "recorded", "settings_of_run", "write_record"]

_FIRST_LINE: Final = "# Written by latecomer {}: the settings of the run, for --config.\n"
_VERSION: Final = re.compile(re.escape(_FIRST_LINE).replace(r"\{\}", "(.+)"))

_LEFT_OUT: Final = frozenset((*OF_A_LIVE_RUN, "predictions", "quiet"))
"""What decides no output; and the predictions, which the record stands beside."""

_PATHS: Final = frozenset(
    ("input", "rejections", "model", "proto", "schema", "kafka_properties", "registry_properties", "tls_ca", "tls_cert",
     "tls_key", "token_file", "client_secret_file")
)  # fmt: skip
"""Written as whole paths: the record may be read from another folder."""

_WITH: Final = {
    "end_offsets": "input",
    "end_clock_ms": "input",
    "until_ms": "input",
    "features_from": "features",
    "features": "features_from",
    "model": "inference",
    "inference": "model",
}
"""A recorded value, and the option that makes it void where it is given: the one says nothing without the other."""


def record_beside(predictions: str) -> Path | None:
    """Where the record of the run is that wrote these predictions; ``None``: they are in no file that has one."""
    path = Path(predictions)
    if predictions == "-" or predictions.startswith(KAFKA_SCHEME) or (path.exists() and not path.is_file()):
        return None
    return path.with_name(path.name + ".run.toml")


def write_record(settings: RunSettings, source: str) -> None:
    """Write the record of a run, if its predictions go to a file and its input can be read again.

    Args:
        settings: of the run, with the end of its log if that is known.
        source: the input, which may be a sample that the run made for itself.
    Raises:
        OSError: it cannot be written.
    """
    record = record_beside(settings.outputs.predictions)
    if record is None:
        return
    if source == "-":
        record.unlink(missing_ok=True)  # that of a run before
        return
    values = values_of(changed(settings, input=source))
    lines = [_FIRST_LINE.format(__version__)]
    for option in options_of(RunSettings):
        value = values[option.name]
        if value not in (None, option.default) and option.name not in _LEFT_OUT:
            lines.append(f"{option.flag.removeprefix('--')} = {_toml(option, value)}\n")
    record.write_text("".join(lines), encoding="utf-8")


def recorded(values: Mapping[str, Any], say: Callable[[str], None], predictions: str | None = None) -> dict[str, Any]:
    """The settings that a command was given, and those of the run record where it was given none.

    To be called while the command runs. It tells the user what differs from the record.

    Args:
        values: of the command's options, by the names of fields.
        say: takes a line for the user.
        predictions: the outputs that are looked at. Default: the option ``--output``.
    Raises:
        SettingsError: the record is damaged.
    """
    record = record_beside(predictions or values["predictions"])
    if record is None or not record.is_file():
        return dict(values)
    version = _VERSION.match(record.read_text(encoding="utf-8", errors="replace"))
    if version is not None and version[1] != __version__:
        say(f"{record}: the outputs were written by latecomer {version[1]}, this is {__version__}")
    options = {option.name: option for option in options_of(RunSettings)}
    texts = read_settings(record, options.values())
    found = {option.name: option.default for option in options_of(WindowSettings)}  # a default is not written
    found |= {name: converted(options[name], text) for name, text in texts.items()}
    merged = dict(values)
    for name, value in found.items():
        if name not in values:
            continue
        if is_given(name):
            if value != values[name] and name not in _PATHS:
                was, now = setting_text(options[name], value), setting_text(options[name], values[name])
                say(f"{record}: the outputs were written with {options[name].flag} {was}, not {now}")
        elif name not in _WITH or not is_given(_WITH[name]):
            merged[name] = value
    return merged


RUN_PREDICTIONS: Final = setting(
    OutputSettings().predictions,
    "Predictions of the run whose log and settings to use, as its run record has them. Without that record, or with "
    "--input alone, the options and their defaults hold.",
    flag="--run",
    shows="FILE",
)
"""Of a command whose ``--output`` is its own."""


def settings_of_run(values: Mapping[str, Any], predictions: str, say: Callable[[str], None]) -> dict[str, Any]:
    """As ``recorded``, for a command with ``RUN_PREDICTIONS``, whose field is ``run_predictions``."""
    has_own_log = is_given("input") and not is_given("run_predictions")
    found = dict(values) if has_own_log else recorded(values, say, predictions)
    return found | {"predictions": predictions}


def _toml(option: Option, value: Any) -> str:
    """A value as a settings file has it; JSON's way to write a text is one of TOML's."""
    if option.kind in ("switch", "integer", "number", "share"):
        return json.dumps(value)
    if option.kind == "names":
        return json.dumps(list(value), ensure_ascii=False)
    is_path = option.name in _PATHS and not value.startswith(KAFKA_SCHEME) and value != "-"
    if is_path and (option.name != "model" or Path(value).is_file()):  # else it is MODULE:NAME
        value = str(Path(value).resolve())
    return json.dumps(setting_text(option, value), ensure_ascii=False)
