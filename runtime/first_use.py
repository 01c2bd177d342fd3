"""What is made on first use, by one of several first uses at once."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["one_by_one"]


@contextmanager
def one_by_one(lock: Path) -> Iterator[None]:
    """Inside, no other process is inside with the same lock: a file that is neither written nor reached by a link.

    Raises:
        OSError: it is a link, or cannot be made.
    """
    descriptor = os.open(lock, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
