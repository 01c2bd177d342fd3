"""Ends a job with wrong settings with a one-line error, which on a cluster is also the pod's termination message."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

import click

from dataflows.connectors.kafka.client import BrokerError
from dataflows.services.errors import ServiceError
from runtime.errors import SettingsError
from runtime.printable import printable
from runtime.terminal import say

__all__ = ["told_in_one_line"]

_LAST_WORD: Final = Path("/dev/termination-log")
"""Where Kubernetes looks for what to show of a container that has ended; elsewhere there is none."""


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Turn what is wrong with the settings or the topics into one line, and exit status 2; 1 for a broker or a service.

    What fails later is Flink's to tell.
    """
    try:
        yield
    except click.ClickException as error:
        _end(error.format_message(), 2)
    except SettingsError as error:
        _end(str(error), 2)
    except (BrokerError, ServiceError) as error:
        _end(str(error), 1)


def _end(message: str, status: int) -> NoReturn:
    line = f"latecomer: {printable(' '.join(message.split()))}"
    say(line)
    if _LAST_WORD.exists():
        _LAST_WORD.write_text(line)
    sys.exit(status)
