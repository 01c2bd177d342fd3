"""How far amendments have come, in one file: a process that goes on with it repeats little and loses nothing.

Layout: magic and version, SHA-256 of what follows, and that: what the state belongs to, the size of the file that was
written, and every partition, as MessagePack.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from dataflows.replay.amendments import SavedPartition
from runtime.errors import SettingsError
from runtime.written_files import write_whole
from window_core import SnapshotError

__all__ = ["AmendmentState", "Saved"]

_MAGIC: Final = b"LCAM\x01"
_DIGEST_BYTES: Final = 32


class Saved(msgspec.Struct, frozen=True, array_like=True):
    """What a state holds.

    Attributes:
        identity: what it belongs to, by the names of options.
        written_bytes: of the file of amendments; 0 of a topic.
        partitions: in the order of their numbers.
    """

    identity: dict[str, str]
    written_bytes: int
    partitions: list[SavedPartition]


class AmendmentState:
    """The state in a file, or none where no file is named."""

    def __init__(self, path: str | None) -> None:
        self._path: Final = None if path is None else Path(path)

    def read(self, identity: Mapping[str, str]) -> Saved | None:
        """What was saved; ``None`` if nothing was.

        Raises:
            SettingsError: it belongs to something else.
            SnapshotError: it is damaged, or of another version.
        """
        if self._path is None or not self._path.exists():
            return None
        data = self._path.read_bytes()
        content = data[len(_MAGIC) + _DIGEST_BYTES :]
        if data[: len(_MAGIC)] != _MAGIC or data[len(_MAGIC) : -len(content) or None] != sha256(content).digest():
            raise SnapshotError(f"--state {self._path} is damaged, or no state of amendments of this version")
        saved = msgspec.msgpack.decode(content, type=Saved)
        for name, value in identity.items():
            if saved.identity.get(name) != value:
                raise SettingsError(
                    f"--state {self._path} belongs to {name} {saved.identity.get(name)}, not {value}: name another file"
                )
        return saved

    def write(self, saved: Saved) -> None:
        """Save it, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        if self._path is not None:
            content = msgspec.msgpack.encode(saved)
            write_whole(self._path, _MAGIC + sha256(content).digest() + content)
