"""Settings of Python and of the C library for a process that handles many windows a second."""

import ctypes
import gc
from typing import Final

__all__ = ["OBJECTS_OF_BATCHES", "OBJECTS_OF_CALLS", "prepare_for_load"]

_MALLOPT: Final = ((-3, 32 << 20), (-1, 128 << 20))
"""``M_MMAP_THRESHOLD``, the most it may be, and ``M_TRIM_THRESHOLD``, four requests of the default limit; bytes."""

OBJECTS_OF_BATCHES: Final = 200_000
"""More than the batches of an engine hold at once: cycles, of which we make none, would be looked for in all that."""

OBJECTS_OF_CALLS: Final = 10_000
"""Those of some hundred calls of a server: what gRPC or a plug-in leaves in cycles is not to pile up."""


def prepare_for_load(objects: int) -> None:
    """Have this process keep freed memory for the next batch, and collect garbage rarely. May be called again.

    Else glibc gives the memory of each batch back, the kernel clears hundreds of pages for the next, and the collector
    looks for cycles after every 700 objects, a few windows. A C library other than glibc is left alone. Source:
    mallopt(3); ``gc.freeze`` and ``gc.set_threshold`` in Python's documentation.

    Args:
        objects: how many more there may be before cycles are looked for.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in _MALLOPT:
            mallopt(option, value)
    gc.collect()
    gc.freeze()  # modules above all: they stay for good
    gc.set_threshold(objects, 20, 100)
