"""``latecomer new``: a small project to begin with."""

from pathlib import Path

import click

from dataflows.new_project import write_project
from runtime.terminal import Terminal

__all__ = ["new"]


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def new(folder: Path) -> None:
    """Write a small project into DIR: a feature, a model, events, settings, a test, and an image for the services."""
    files = write_project(folder)
    Terminal().tell(f"{folder}: {', '.join(files)}; read README.md first")
