"""How a Python of ours is started, and ends with whoever started it.

It has our packages, and never the current folder, on its module path.

Data lies in the current folder, and so may a ``click.py``. Only a plug-in is looked for there, after everything else.
"""

import os
import signal
import sysconfig
from pathlib import Path
from threading import Thread
from typing import Final

__all__ = ["end_with_input", "python_environment"]

_ROOT: Final = Path(__file__).resolve().parents[1]


def end_with_input() -> None:
    """Send SIGTERM to this process once its standard input ends, as it does when whoever holds the other end dies."""
    Thread(target=_terminate_after_input, daemon=True).start()


def python_environment(*folders: str) -> dict[str, str]:
    """Our environment, for a Python that runs one of our modules, and for whatever it starts.

    Args:
        folders: what its module path begins with, after the folder of our packages.
    """
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    installed = {sysconfig.get_path(name) for name in ("purelib", "platlib")}  # found in any case, after the rest
    ours = [] if str(_ROOT) in installed else [str(_ROOT)]
    path = filter(None, [*ours, *folders, *inherited])  # an empty entry is the current folder
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(path)), "PYTHONSAFEPATH": "1"}


def _terminate_after_input() -> None:
    while os.read(0, 65_536):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
