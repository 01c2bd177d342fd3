"""The command ``latecomer``: one module a subcommand. What is wrong is said in one line, with its exit status."""

import sys
from errno import EDQUOT, EFBIG, ENOSPC
from typing import Final

import click

from dataflows import __version__
from dataflows.command_line.ask import ask
from dataflows.command_line.bench import bench
from dataflows.command_line.broker import broker
from dataflows.command_line.compare import compare
from dataflows.command_line.deploy import deploy
from dataflows.command_line.explain import explain
from dataflows.command_line.heartbeat import heartbeat
from dataflows.command_line.new import new
from dataflows.command_line.page import page
from dataflows.command_line.parity import parity
from dataflows.command_line.produce import produce
from dataflows.command_line.report import report
from dataflows.command_line.retry import retry
from dataflows.command_line.revise import revise
from dataflows.command_line.run import run
from dataflows.command_line.serve import serve
from dataflows.command_line.state import state
from dataflows.command_line.test import test
from dataflows.command_line.training_set import training_set_command
from dataflows.command_line.verify import verify
from dataflows.connectors.kafka.client import BrokerError
from dataflows.connectors.schema_registry import RegistryError
from dataflows.deployment.kubectl import DeployError
from dataflows.flink_job.run import JobError
from dataflows.pipeline.first_records import InputError
from dataflows.services.errors import ServiceError
from runtime.terminal import drop_unwritten, say
from window_core import SnapshotError

__all__ = ["latecomer", "main"]

_FULL: Final = frozenset({ENOSPC, EDQUOT, EFBIG})
"""Whatever writes a file names it; an error of these that names none is about standard output."""


@click.group(
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 110,
        "auto_envvar_prefix": "LATECOMER",
    }
)
@click.version_option(__version__, message="latecomer %(version)s")
def latecomer() -> None:
    """The exact window of each device's last hours, late readings included, turned into predictions."""


for command in (
    run,
    report,
    page,
    serve,
    ask,
    explain,
    verify,
    revise,
    retry,
    compare,
    training_set_command,
    produce,
    heartbeat,
    broker,
    deploy,
    parity,
    state,
    bench,
    test,
    new,
):
    latecomer.add_command(command)


def main() -> None:
    """Run the command line. Exit status: 0, 1 for a failure, 2 for a wrong argument."""
    try:
        # Not by its ``main``, which puts an empty line in front of what is said of an interrupt.
        with latecomer.make_context("latecomer", sys.argv[1:]) as context:
            status = latecomer.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        status = end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "latecomer"
        _exit(f"{error.format_message()} (see {command} --help)", 2)
    except (click.Abort, KeyboardInterrupt):
        _exit("interrupted; what was written so far is whole lines", 1)
    except (BrokerError, DeployError, InputError, JobError, RegistryError, ServiceError, SnapshotError) as error:
        _exit(str(error), 1)
    except OSError as error:
        place = error.filename or ("standard output" if error.errno in _FULL else None)
        _exit(f"{place}: {error.strerror}" if place else str(error), 1)
    except ValueError as error:  # every settings error is one
        _exit(str(error), 2)
    sys.exit(status if isinstance(status, int) else 0)


def _exit(line: str, status: int) -> None:
    drop_unwritten()
    say(f"latecomer: {' '.join(line.split())}")
    sys.exit(status)
