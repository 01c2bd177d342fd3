"""The only way to a person's terminal; output for programs does not pass here.

What is shown may hold what others wrote, and so goes through ``printable``; markup of rich is made here alone.
"""

import os
import sys
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from runtime.printable import printable

__all__ = ["Terminal", "drop_unwritten", "say", "show"]


def say(*lines: str) -> None:
    """Lines for the user, beside the output."""
    for line in lines:
        click.echo(printable(line), err=True)


def show(*lines: str) -> None:
    """Lines that are the output, for a person."""
    for line in lines:
        click.echo(printable(line))


def drop_unwritten() -> None:
    """Drop what standard output cannot take: Python would try again at its end, and say so in two lines more."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class Terminal(Console):
    """A console that wraps no line and highlights no number."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, soft_wrap=True, **options)

    def tell(self, text: str, *, name: str = "") -> None:
        """One line of text, with a name before it."""
        head = f"[bold]{name:<15}[/bold] " if name else ""
        self.print(head + escape(printable(text)))

    def warn(self, text: str) -> None:
        """One line that the user should not miss."""
        self.print(f"warning: {escape(printable(text))}", style="yellow")
