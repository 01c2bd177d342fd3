"""A small project of a user's own, for ``latecomer new``: a feature, a model, some events, a test and an image."""

import shlex
from pathlib import Path
from typing import Final

from runtime.errors import SettingsError
from runtime.written_files import naming

__all__ = ["write_project"]

_TEMPLATE: Final = Path(__file__).parent / "template"
_COMMAND: Final = "LATECOMER"
"""Stands in the files for the command as it is called here."""


def write_project(folder: Path) -> list[str]:
    """Write the files of a project into a folder, which is made if need be, and give their names.

    Raises:
        SettingsError: there is something in the folder.
        OSError: it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingsError(f"{folder} is there already, and not an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    files = sorted(file for file in _TEMPLATE.iterdir() if file.is_file())
    for file in files:
        with naming(folder / file.name):
            (folder / file.name).write_text(file.read_text().replace(_COMMAND, _command()))
    return [file.name for file in files]


def _command() -> str:
    """The script of this checkout, or the command of the installed package."""
    script = Path(__file__).parents[2] / "latecomer"
    return shlex.quote(str(script)) if script.is_file() else "latecomer"
