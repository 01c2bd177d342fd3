"""Words on a terminal."""

import click

__all__ = ["say"]


def say(line: str) -> None:
    """A line for the user, beside the output."""
    click.echo(line, err=True)
