"""Which packages of the environment are not those that a checkout pins: another install has moved them.

A model's library brings packages of its own, and pip moves what we use to suit it unless it is told not to. Looked at
by the names of the folders that installers write, in half a millisecond; ``importlib.metadata`` parses a file of each.
"""

import re
import sysconfig
from pathlib import Path
from typing import Final

__all__ = ["moved_packages"]

_PIN: Final = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_INSTALLED: Final = re.compile(r"(.+)-([^-]+)\.dist-info")


def moved_packages(requirements: Path, installed: Path | None = None) -> str | None:
    """The packages that are needed in another version than is pinned, in one line; ``None``: there are none.

    An installed package has no pins, so that there is nothing to compare.

    Args:
        requirements: the folder of ``run.in``, which names what is needed, and ``constraints.txt`` with the versions.
        installed: where packages are; by default where this Python looks for them.
    """
    try:
        needed = (requirements / "run.in").read_text(encoding="utf-8").splitlines()
        pinned = (requirements / "constraints.txt").read_text(encoding="utf-8").splitlines()
        folders = [path.name for path in (installed or Path(sysconfig.get_path("purelib"))).iterdir()]
    except OSError:
        return None
    pins = {_same(found[1]): found[2] for line in pinned if (found := _PIN.match(line))}
    versions = {_same(found[1]): found[2] for name in folders if (found := _INSTALLED.fullmatch(name))}
    names = [_same(found[0]) for line in needed if (found := _NAME.match(line))]
    moved = [
        f"{name} {versions[name]} (pinned: {pins[name]})"
        for name in names
        if name in pins and versions.get(name, pins[name]) != pins[name]
    ]
    return ", ".join(moved) or None


def _same(name: str) -> str:
    """A name as all its spellings are written."""
    return re.sub(r"[-_.]+", "-", name).lower()
