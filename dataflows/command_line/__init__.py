"""The command ``latecomer``: one module a subcommand, imported only when it is used, for their libraries take long.

What is wrong is said in one line, with its exit status.
"""

import gc
import sys
from errno import EDQUOT, EFBIG, ENOSPC
from importlib import import_module
from typing import Final

import click

from dataflows import __version__
from runtime.errors import CommandError
from runtime.grpc_environment import prepare_grpc
from runtime.terminal import drop_unwritten, say
from window_core import SnapshotError

__all__ = ["COMMANDS", "latecomer", "main"]

COMMANDS: Final = {
    "ask": "Ask both services for the prediction of a window.",
    "bench": "Measure the core, the services and the whole pipeline.",
    "broker": "Run Apache Kafka on this machine, to try things out.",
    "compare": "Compare settings on one log, or the predictions of two runs.",
    "deploy": "Deploy the pipeline to a Kubernetes cluster, with kubectl.",
    "explain": "Explain an evaluation, a record, or a device at a time.",
    "heartbeat": "Keep the clock of a topic running.",
    "new": "Write a small project with a feature and a model.",
    "page": "Show a run live in a browser.",
    "parity": "Compare Bytewax, Flink and a plain loop, byte by byte.",
    "produce": "Write the events of a simulated fleet.",
    "report": "Write a report of a run as one HTML file.",
    "retry": "Ask again about what was refused; read INVALID records.",
    "revise": "Ask again about predictions that miss later events.",
    "run": "Turn events into predictions.",
    "serve": "Serve features or inference.",
    "state": "Look at the state of a run, or move it.",
    "test": "Check format, lint and types, then run all tests.",
    "training-set": "Write features for training, at the times of labels.",
    "verify": "Compare the outputs of a run with what the log gives.",
}
"""Each is the function of its name in the module of its name, and what the list of commands says of it."""

_OBJECTS_OF_A_COMMAND: Final = 20_000
"""More than the modules of a command make one after another: looking for cycles in them took a tenth of its start."""

_FULL: Final = frozenset({ENOSPC, EDQUOT, EFBIG})
"""Whatever writes a file names it; an error of these that names none is about standard output."""


class _Commands(click.Group):
    """Knows its commands by name, until one is used."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None:
            module = name.replace("-", "_")
            command = getattr(import_module(f"{__name__}.{module}"), module)
        return name, command, rest


@click.group(
    cls=_Commands,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 110,
        "auto_envvar_prefix": "LATECOMER",
    },
)
@click.version_option(__version__, message="latecomer %(version)s")
def latecomer() -> None:
    """The exact window of each device's last hours, late readings included, turned into predictions."""


for name, text in COMMANDS.items():
    latecomer.add_command(click.Command(name, short_help=text))


def main() -> None:
    """Run the command line. Exit status: 0, 1 for a failure, 2 for a wrong argument."""
    gc.set_threshold(_OBJECTS_OF_A_COMMAND)
    prepare_grpc()
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
        _exit(f"{error.format_message()} (see {_command_of(error)} --help)", 2)
    except (click.Abort, KeyboardInterrupt):
        _exit("interrupted; what was written so far is whole lines", 1)
    except (CommandError, SnapshotError) as error:
        _exit(str(error), 1)
    except OSError as error:
        place = error.filename or ("standard output" if error.errno in _FULL else None)
        _exit(f"{place}: {error.strerror}" if place else str(error), 1)
    except ValueError as error:  # every settings error is one
        _exit(str(error), 2)
    sys.exit(status if isinstance(status, int) else 0)


def _command_of(error: click.UsageError) -> str:
    """What was wrongly used; click leaves it out where an option lacks its value."""
    if error.ctx is not None:
        return error.ctx.command_path
    return " ".join(["latecomer", *[name for name in sys.argv[1:2] if name in COMMANDS]])


def _exit(line: str, status: int) -> None:
    drop_unwritten()
    say(f"latecomer: {' '.join(line.split())}")
    sys.exit(status)
