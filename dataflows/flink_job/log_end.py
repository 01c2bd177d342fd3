"""Where a bounded run with a state ends. It is written down at the first start, so that each later one ends there.

Flink keeps no state of a job that has come to its end, so a run that has is not begun anew in silence.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Final

from dataflows.kafka.topic import BoundedLog
from dataflows.state_folder import read_note, write_note
from runtime.errors import SettingsError

__all__ = ["kept_end", "mark_ended"]

_END_FILE: Final = "log-end.json"
_ENDED_FILE: Final = "ended"


def kept_end(folder: Path, end: BoundedLog | None, until_ms: int | None) -> BoundedLog | None:
    """The end of a run with a state in this folder.

    Args:
        folder: of the state.
        end: as the log is now; ``None``: the run has none.
        until_ms: what the user says about it.
    Raises:
        SettingsError: the state is of a run that has come to its end, or that has another.
        SnapshotError: what was written down cannot be read.
    """
    file = folder / _END_FILE
    if (folder / _ENDED_FILE).exists():
        raise SettingsError(f"--state {folder}: the bounded run has come to its end; name another folder for a new one")
    if not file.exists():
        if end is not None:
            write_note(file, asdict(end))
        return end
    if end is None:
        raise SettingsError(f"--state {folder} belongs to a run with --bounded, which goes on to its end with it")
    note = read_note(file)
    kept = BoundedLog(tuple(note["end_offsets"]), note["until_ms"])
    if until_ms not in (None, kept.until_ms):
        raise SettingsError(f"--state {folder} belongs to a run with --until {kept.until_ms}, not {until_ms}")
    return kept


def mark_ended(folder: Path) -> None:
    """Note that the run has come to its end."""
    (folder / _ENDED_FILE).touch(0o600)
