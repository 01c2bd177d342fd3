"""``latecomer parity``: proves that both engines write the same bytes as the core in a plain loop."""

import sys
from importlib import import_module
from pathlib import Path

import click

from dataflows.command_line.options import DURATION
from dataflows.settings import RunSettings, SettingsError
from window_core import WindowSpec

__all__ = ["parity"]

_ROOT = Path(__file__).parents[2]


@click.command()
@click.option("--examples", type=click.INT, default=2_000, show_default=True, help="Logs to generate.")
@click.option("--seed", type=click.INT, default=0, show_default=True, help="Another gives other logs.")
@click.option("--input", "recorded", metavar="FILE", help="A recorded log, JSON lines, in place of generated ones.")
@click.option("--features-from", metavar="MODULE:NAME", help="Features of your own.")
@click.option("--model", metavar="FILE|MODULE:NAME", help="Model of your own.")
@click.option("--interval", "interval_ms", type=DURATION, help="Length of the window.")
@click.option("--tick", "tick_ms", type=DURATION, help="Time between two periodic evaluations; 0: none.")
@click.option("--idle-after", "idle_after_ms", type=DURATION, help="A device silent for longer has no ticks.")
@click.option("--forget-after", "forget_after_ms", type=DURATION, help="A device silent for longer is forgotten.")
@click.option("--max-ahead", "max_ahead_ms", type=DURATION, help="How far an event may be ahead of its arrival.")
@click.option("--max-events", type=click.INT, help="Events a window may hold.")
@click.option("--until", "until_ms", type=click.INT, metavar="MS", help="With --input: the last arrival that is read.")
@click.option("--report", metavar="FILE", help="Write the report there as JSON, too.")
@click.option(
    "--keep",
    metavar="DIR",
    default="latecomer-output/parity",
    show_default=True,
    help="Where the logs of differences are kept.",
)
def parity(
    examples: int,
    seed: int,
    recorded: str | None,
    features_from: str | None,
    model: str | None,
    until_ms: int | None,
    report: str | None,
    keep: str,
    **numbers: int | None,
) -> int:
    """Compare Bytewax, Flink and a plain loop, byte by byte.

    Generated logs go through every engine, many at once; or a recorded one does, with features and a model of your
    own. A log on which two differ is made small, shown and kept. Exit status: 0 identical, 1 different.
    """
    if not (_ROOT / "tests" / "parity").is_dir():
        raise SettingsError("latecomer parity needs a checkout: the installed package has no tests")
    if examples < 1:
        raise SettingsError("--examples must be above 0")
    if recorded is not None and not Path(recorded).is_file():
        raise SettingsError(f"--input {recorded} does not exist, or is no file")
    if until_ms is not None and recorded is None:
        raise SettingsError("--until needs --input")
    given = {name: number for name, number in numbers.items() if number is not None}
    sys.path.insert(0, str(_ROOT))
    status: int = import_module("tests.parity.command").parity(
        examples=examples,
        seed=seed,
        recorded=None if recorded is None else Path(recorded),
        features_from=features_from,
        model=model,
        spec=_spec(given) if given else None,
        until_ms=until_ms,
        report=None if report is None else Path(report),
        keep=Path(keep),
        say=click.echo,
    )
    return status


def _spec(numbers: dict[str, int]) -> WindowSpec:
    """The numbers of the window, checked as a run checks them."""
    return RunSettings(**numbers).spec  # type: ignore[arg-type]  # all of these are integers
