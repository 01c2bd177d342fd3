"""Stops a job on this machine gracefully, with a savepoint from which another run resumes."""

import json
from pathlib import Path
from time import sleep
from typing import Any, Final
from urllib.request import Request, urlopen

__all__ = ["CHECKPOINTS", "SAVEPOINTS", "newest_state", "stop_with_savepoint"]

CHECKPOINTS: Final = "checkpoints"
"""Folder within that of a state, for what Flink saves by itself."""

SAVEPOINTS: Final = "savepoints"
"""Folder within that of a state. Savepoints that a user triggers go there, too, and can be resumed from."""

_ANSWER_WITHIN_S: Final = 10.0
_PAUSE_S: Final = 0.05


def newest_state(folder: Path) -> Path | None:
    """The newest complete checkpoint or savepoint in the folder of a state."""
    complete = [*(folder / CHECKPOINTS).glob("*/chk-*/_metadata"), *(folder / SAVEPOINTS).glob("*/_metadata")]
    return max(complete, key=lambda path: path.stat().st_mtime_ns).parent if complete else None


def stop_with_savepoint(address: str, folder: Path) -> bool:
    """Stop the only job of a mini-cluster with a savepoint; whether it did. If not, it keeps running.

    Args:
        address: of Flink's web page, as ``http://HOST:PORT``.
        folder: where the savepoint goes.
    """
    try:
        [job] = (entry["id"] for entry in _asked(f"{address}/jobs")["jobs"] if entry["status"] == "RUNNING")
        stop = {"targetDirectory": folder.resolve().as_uri(), "drain": False}
        trigger = _asked(f"{address}/jobs/{job}/stop", stop)["request-id"]
    except (OSError, ValueError):
        return False  # it has not begun, or has ended
    try:
        while (answer := _asked(f"{address}/jobs/{job}/savepoints/{trigger}"))["status"]["id"] == "IN_PROGRESS":
            sleep(_PAUSE_S)
    except OSError:
        return True  # it has ended meanwhile, and its page with it
    return "failure-cause" not in answer["operation"]


def _asked(url: str, question: object = None) -> Any:
    data = None if question is None else json.dumps(question).encode()
    with urlopen(Request(url, data, {"Content-Type": "application/json"}), timeout=_ANSWER_WITHIN_S) as answer:
        return json.load(answer)
