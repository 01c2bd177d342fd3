"""``latecomer bench``: the benchmarks, all ratios from one run."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final

import click

from runtime.errors import SettingsError

__all__ = ["bench"]

_ROOT: Final = Path(__file__).parents[2]

_PARTS: Final = {
    "core": "core:main",
    "services": "feature_service:main",
    "pipeline": "pipeline:main",
    "formats": "formats:main",
    "languages": "secured_services:languages",
    "security": "secured_services:security",
    "models": "models:main",
    "replay": "replays:main",
    "training": "training_sets:main",
    "kafka": "kafka:main",
}
"""Where each part is, in ``benchmarks``."""


@click.command()
@click.option(
    "--only",
    type=click.Choice(list(_PARTS)),
    help="Measure one part only: languages and security need the Java services, kafka needs Java and ten minutes. "
    "Default: core, services, pipeline and formats.",
)
def bench(only: str | None) -> None:
    """Measure the core, the services and the whole pipeline on this machine."""
    if not (_ROOT / "benchmarks").is_dir():
        raise SettingsError("latecomer bench needs a checkout: the installed package has no benchmarks")
    for part in [only] if only else ["core", "services", "pipeline", "formats"]:
        module, _, name = _PARTS[part].partition(":")
        measure: Callable[[], object] = getattr(import_module(f"benchmarks.{module}"), name)
        measure()
