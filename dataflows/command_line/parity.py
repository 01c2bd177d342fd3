"""``latecomer parity``: proves that both engines write the same bytes as the core in a plain loop."""

import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from dataflows.settings import WindowSettings, check_sensors
from runtime.errors import SettingsError
from runtime.options import GroupedCommand, settings_options
from runtime.settings import composed, group, setting
from runtime.terminal import show
from window_core import DEMO_SENSORS, Sensors

__all__ = ["parity"]

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class ParitySettings:
    """The settings of ``latecomer parity``."""

    examples: int = setting(2_000, "Number of logs to generate.", kind="integer")
    seed: int = setting(0, "Seed of the generated logs; another seed gives other logs.", kind="integer")
    input: str | None = setting(
        None, "A recorded log of JSON lines, compared in place of generated logs.", shows="FILE"
    )
    until_ms: int | None = setting(
        None, "With --input: the last arrival to read, in ms since the Unix epoch. Default: the largest in the log.",
        flag="--until", kind="integer", shows="MS",
    )  # fmt: skip
    features_from: str | None = setting(
        None, "Features of your own, as for `latecomer serve`. Default: the mean of each sensor.", shows="MODULE:NAME"
    )
    model: str | None = setting(
        None, "Model of your own, as for `latecomer serve`. Default: log_reg_model/v2.", shows="FILE|MODULE:NAME"
    )
    report: str | None = setting(None, "Also write the report to this file, as JSON.", shows="FILE")
    keep: str = setting(
        "latecomer-output/parity", "Folder that keeps each log on which two engines differ.", shows="DIR"
    )
    sensors: tuple[str, ...] = setting(
        (),
        "Sensors of all logs; one with a question mark behind its name may be null or absent in an event. Default: "
        "the demo's in most generated logs and 1 to 16 others in some, and the demo's in a recorded one.",
        kind="names",
        shows="NAME[?][,...]",
    )
    window: WindowSettings = group(WindowSettings, "Window")

    def __post_init__(self) -> None:
        if self.sensors and check_sensors(self.sensors) != DEMO_SENSORS and self.features_from and not self.model:
            raise SettingsError(
                "--features-from and --sensors need --model: the default model is for the demo's sensors"
            )
        if self.examples < 1:
            raise SettingsError("--examples must be above 0")
        if self.input is not None and not Path(self.input).is_file():
            raise SettingsError(f"--input {self.input} does not exist, or is no file")
        if self.until_ms is not None and self.input is None:
            raise SettingsError("--until needs --input")


@click.command(cls=GroupedCommand)
@settings_options(ParitySettings, "LATECOMER_PARITY_")
def parity(**options: Any) -> int:
    """Compare Bytewax, Flink and a plain loop, byte by byte.

    Every engine reads the same logs, generated or recorded, with the default features and model or your own. A log on
    which two engines differ is shrunk, shown and kept. Exit status: 0 if all outputs are identical, 1 if not.
    """
    settings = composed(ParitySettings, options)
    if not (_ROOT / "tests" / "parity").is_dir():
        raise SettingsError("latecomer parity needs a checkout: the installed package has no tests")
    sys.path.insert(0, str(_ROOT))
    status: int = import_module("tests.parity.command").parity(
        examples=settings.examples,
        seed=settings.seed,
        recorded=None if settings.input is None else Path(settings.input),
        features_from=settings.features_from,
        model=settings.model,
        spec=None if settings.window == WindowSettings() else settings.window.spec,
        sensors=Sensors.of(settings.sensors) if settings.sensors else None,
        until_ms=settings.until_ms,
        report=None if settings.report is None else Path(settings.report),
        keep=Path(settings.keep),
        say=lambda text: show(*text.split("\n")),
    )
    return status
