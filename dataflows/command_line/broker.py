"""``latecomer broker``: a real Kafka for trying things out."""

import signal
import threading
from contextlib import ExitStack
from pathlib import Path

import click

from runtime.errors import SettingsError
from runtime.options import DURATION
from runtime.python_process import end_with_input
from runtime.terminal import Terminal, show

__all__ = ["broker"]


@click.command()
@click.option(
    "--dir", "folder", metavar="DIR", help="Folder for the data. Default: a temporary folder, removed at the end."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--partitions", type=click.IntRange(1), default=4, show_default=True, help="Partitions of each topic.")
@click.option(
    "--retention",
    type=DURATION,
    default="7d",
    show_default=True,
    help="Age at which predictions, rejections and amendments are deleted; 0 keeps them for ever.",
)
@click.option(
    "--stop-with-input",
    is_flag=True,
    help="Stop when standard input ends, as it does when the process that started this one dies.",
)
def broker(folder: str | None, port: int, partitions: int, retention: int, stop_with_input: bool) -> None:
    """Run Apache Kafka on this machine until Ctrl-C or SIGTERM.

    It creates the topics raw-events, predictions, rejections, amendments and live-events. The arrival of an event is
    the timestamp of its producer (CreateTime), which for a simulated fleet may be long past, so events are kept for
    ever. It needs Java 17 or newer and, on first use, Maven.
    """
    from dataflows.kafka_broker.broker import running_broker
    from dataflows.kafka_broker.topics import TRIAL_TOPICS, make_topics

    if folder is not None and Path(folder).exists() and not Path(folder).is_dir():
        raise SettingsError(f"--dir {folder} is a file, not a folder")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        with Terminal(stderr=True).status("starting a Kafka broker"):
            running = stack.enter_context(running_broker(None if folder is None else Path(folder), port))
            make_topics(running.address, TRIAL_TOPICS, partitions, retention or None)
        show(f"broker: listening on {running.address}, topics {', '.join(TRIAL_TOPICS)}")
        if stop_with_input:
            end_with_input()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # it is ending
