"""``latecomer ask``: both services, about one window or many."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import click

from dataflows.connectors.locations import STANDARD
from dataflows.pipeline.metrics import Metrics
from dataflows.services.answers import Refusal
from dataflows.services.asked_windows import WindowError, demo_window, json_line, plain_lines, read_windows
from dataflows.services.client import ServiceClient, Services
from dataflows.settings import ChannelSettings, RunSettings, check_sensors
from runtime.addresses import parsed_service
from runtime.errors import SettingsError
from runtime.options import GroupedCommand, settings_options
from runtime.settings import composed, group, setting, values_of
from runtime.terminal import say, show
from window_core import DEMO_SENSORS, Evaluation, Sensors

__all__ = ["ask"]

_ATTEMPTS: Final = 3
_PAUSE_MS: Final = 200
"""A person waits: enough for a server that changes places, not for one that starts."""

_WINDOWS_AT_ONCE: Final = 1_024
_EVENTS_AT_ONCE: Final = 400_000
"""What is held of a file at a time: 10 MB of readings, several requests."""


@dataclass(frozen=True, slots=True)
class AskSettings:
    """The settings of ``latecomer ask``."""

    rpc: Literal["unary", "batch", "stream"] = setting(
        "unary",
        "Kind of call: one window in a call, many in a call (batch), or many in each message of a stream.",
        kind="choice",
        choices=("unary", "batch", "stream"),
    )
    sensors: tuple[str, ...] = setting(
        DEMO_SENSORS.declared,
        "Sensors of the windows of --input, as the feature service has them. One with a question mark behind its name "
        "may be null.",
        kind="names",
        shows="NAME[?][,...]",
    )
    as_json: bool = setting(False, "Print the prediction as one line of JSON.", flag="--json", kind="switch")
    input: str | None = setting(
        None, "Windows to ask about, one line of JSON each; - for standard input. Prints one line of JSON for each.",
        shows="FILE|-",
    )  # fmt: skip
    deadline_ms: int = setting(
        10_000, "Deadline of one call; on a stream, of each answer.", flag="--deadline", kind="duration"
    )
    channel: ChannelSettings = group(ChannelSettings, "Security of the channels to the services")

    def __post_init__(self) -> None:
        sensors = check_sensors(self.sensors)
        if sensors != DEMO_SENSORS and self.input is None:
            raise SettingsError("--sensors needs --input: the demo's window has its own")
        if sensors != DEMO_SENSORS and self.rpc == "unary":
            raise SettingsError("--sensors needs --rpc batch or stream: the original demo's calls have its own")


@click.command(cls=GroupedCommand)
@click.argument("features", default="localhost:10001", metavar="[FEATURES]")
@click.argument("inference", default="localhost:10011", metavar="[INFERENCE]")
@settings_options(AskSettings, "LATECOMER_ASK_")
def ask(features: str, inference: str, **options: Any) -> int:
    """Ask both services for the prediction of a window.

    FEATURES and INFERENCE are the addresses of services in any language: HOST:PORT[,HOST:PORT...]. Without --input the
    window is that of the original demo's client: 300 events of device_123.
    """
    asked = composed(AskSettings, options)
    parsed_service(features, "FEATURES")
    parsed_service(inference, "INFERENCE")
    source = asked.input
    if source is not None and source != STANDARD and (not Path(source).exists() or Path(source).is_dir()):
        raise SettingsError(f"--input {source} does not exist, or is no file")
    settings = RunSettings.of(
        features=features,
        inference=inference,
        rpc=asked.rpc,
        sensors=asked.sensors,
        timeout_ms=asked.deadline_ms,
        attempts=_ATTEMPTS,
        pause_ms=_PAUSE_MS,
        **values_of(asked.channel),
    )
    with closing(ServiceClient(Services(features, inference), settings, Metrics())) as client:
        client.check()
        if source is not None:
            return _ask_about_lines(client, source, Sensors.of(asked.sensors))
        [answer] = client.answers([window := demo_window()])
    refused = isinstance(answer, Refusal)
    if asked.as_json and not refused:
        sys.stdout.write(json_line(window.device_id, answer).decode() + "\n")
    else:
        first, *more = plain_lines(window.device_id, answer)
        if refused:
            say(f"latecomer: {first}", *more)
        else:
            show(first, *more)
    return int(refused)


def _ask_about_lines(client: ServiceClient, source: str, sensors: Sensors) -> int:
    with ExitStack() as stack:
        lines: BinaryIO = sys.stdin.buffer if source == STANDARD else stack.enter_context(Path(source).open("rb"))
        out = sys.stdout.buffer
        try:
            for windows in _groups(read_windows(lines, sensors)):
                for window, answer in zip(windows, client.answers(windows), strict=True):
                    out.write(json_line(window.device_id, answer) + b"\n")
                out.flush()
        except WindowError as error:
            say(f"latecomer: {' '.join(str(error).split())}")
            return 1
    return 0


def _groups(windows: Iterator[Evaluation]) -> Iterator[list[Evaluation]]:
    """As many windows at a time as may be held; each is asked about even if a line behind it is bad."""
    group: list[Evaluation] = []
    events = 0
    try:
        for window in windows:
            group.append(window)
            events += window.events
            if len(group) == _WINDOWS_AT_ONCE or events >= _EVENTS_AT_ONCE:
                yield group
                group, events = [], 0
    except WindowError:
        if group:
            yield group
        raise
    if group:
        yield group
