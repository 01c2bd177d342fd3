"""Settings of Python and of the C library for a process that handles many windows a second."""

import ctypes
import gc
from typing import Final

__all__ = ["prepare_for_load"]

_MALLOPT: Final = ((-3, 32 << 20), (-1, 128 << 20))
"""``M_MMAP_THRESHOLD``, the most it may be, and ``M_TRIM_THRESHOLD``, four requests of the default limit; bytes."""

_OBJECTS_BETWEEN_COLLECTIONS: Final = 500_000
"""More than the batches under way hold at once: cycles, of which we make none, would be looked for in all of them. With
Python's own 700 that would be after every few windows."""


def prepare_for_load() -> None:
    """Have this process keep freed memory for the next batch, and collect garbage rarely. May be called again.

    Else glibc gives the memory of each batch back, the kernel clears hundreds of pages for the next, and the collector
    looks for cycles after every few windows. A C library other than glibc is left alone. Source: mallopt(3);
    ``gc.freeze`` and ``gc.set_threshold`` in Python's documentation.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in _MALLOPT:
            mallopt(option, value)
    gc.collect()
    gc.freeze()  # modules above all: they stay for good
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 20, 100)
