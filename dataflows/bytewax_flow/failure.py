"""Keeps the terminal to the one line that says what went wrong.

When one of our functions raises, Bytewax's runtime ends the flow as it should, and hands the exception on; but on a
single worker it also prints the state of its stack. From our exception to the end of the flow, standard error is shut.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import RLock
from typing import Final, ParamSpec, TypeVar

__all__ = ["StandardError", "fails_quietly"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class StandardError:
    """The process's standard error, which can be shut once and opened again. Workers that fail at once take turns."""

    _lock: Final = RLock()  # a signal may come while it is held
    _can_be_shut = False
    _kept: int | None = None

    @classmethod
    def shut(cls) -> None:
        """Shut it until the end of the flow; after that end, a worker that comes late shuts nothing."""
        with cls._lock:
            if cls._can_be_shut and cls._kept is None:
                sys.stderr.flush()
                cls._kept = os.dup(2)
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, 2)
                os.close(null)

    @classmethod
    @contextmanager
    def opened_at_the_end(cls) -> Iterator[None]:
        """Whatever happens inside, standard error is open afterwards."""
        cls._can_be_shut = True
        try:
            yield
        finally:
            with cls._lock:
                cls._can_be_shut = False
                if cls._kept is not None:
                    os.dup2(cls._kept, 2)
                    os.close(cls._kept)
                    cls._kept = None


def fails_quietly(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A function that Bytewax calls: when it raises, nothing but the exception comes out."""

    @wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except StopIteration:  # the end of an input, by Bytewax's own protocol
            raise
        except BaseException:
            StandardError.shut()
            raise

    return call
