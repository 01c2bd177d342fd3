"""``latecomer ask``: both services, about one window or many."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, BinaryIO, Final

import click

from dataflows.command_line.options import DURATION, channel_options
from dataflows.locations import STANDARD
from dataflows.metrics import Metrics
from dataflows.services.asked_windows import WindowError, demo_window, json_line, plain_text, read_windows
from dataflows.services.client import Refusal, ServiceClient, Services
from dataflows.settings import RunSettings, SettingsError, parsed_addresses
from window_core import Evaluation

__all__ = ["ask"]

_ATTEMPTS: Final = 3
_PAUSE_MS: Final = 200
"""A person waits: enough for a server that changes places, not for one that starts."""

_WINDOWS_AT_ONCE: Final = 1_024
_EVENTS_AT_ONCE: Final = 400_000
"""What is held of a file at a time: 10 MB of readings, several requests."""


@click.command()
@click.argument("features", default="localhost:10001", metavar="[FEATURES]")
@click.argument("inference", default="localhost:10011", metavar="[INFERENCE]")
@click.option(
    "--rpc",
    type=click.Choice(["unary", "batch", "stream"]),
    default="unary",
    show_default=True,
    help="How: one window a call, as the original demo does, many a call, or on a stream.",
)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON, for a program.")
@click.option("--input", "source", metavar="FILE|-", help="Windows as lines of JSON; gives one line of JSON for each.")
@click.option(
    "--deadline", type=DURATION, default="10s", show_default=True, help="Of each call; on a stream, of each answer."
)
@channel_options
def ask(
    features: str, inference: str, rpc: str, as_json: bool, source: str | None, deadline: int, **channel: Any
) -> int:
    """Ask both services: features of a window, then a prediction.

    FEATURES and INFERENCE are HOST:PORT of services in any language, or several with commas between. Without --input
    the window is that of the original demo's client, 300 events of device_123.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what a service does is told in our one line
    parsed_addresses(features, "FEATURES")
    parsed_addresses(inference, "INFERENCE")
    if source is not None and source != STANDARD and (not Path(source).exists() or Path(source).is_dir()):
        raise SettingsError(f"--input {source} does not exist, or is no file")
    settings = RunSettings(
        features=features,
        inference=inference,
        rpc=rpc,  # type: ignore[arg-type]  # click checked it
        timeout_ms=deadline,
        attempts=_ATTEMPTS,
        pause_ms=_PAUSE_MS,
        **channel,
    )
    with closing(ServiceClient(Services(features, inference), settings, Metrics())) as client:
        if source is not None:
            return _ask_about_lines(client, source)
        [answer] = client.answers([window := demo_window()])
    refused = isinstance(answer, Refusal)
    if as_json and not refused:
        sys.stdout.write(json_line(window.device_id, answer).decode() + "\n")
    else:
        click.echo(("latecomer: " if refused else "") + plain_text(window.device_id, answer), err=refused)
    return int(refused)


def _ask_about_lines(client: ServiceClient, source: str) -> int:
    with ExitStack() as stack:
        lines: BinaryIO = sys.stdin.buffer if source == STANDARD else stack.enter_context(Path(source).open("rb"))
        out = sys.stdout.buffer
        try:
            for windows in _groups(read_windows(lines)):
                for window, answer in zip(windows, client.answers(windows), strict=True):
                    out.write(json_line(window.device_id, answer) + b"\n")
                out.flush()
        except WindowError as error:
            click.echo(f"latecomer: {' '.join(str(error).split())}", err=True)
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
