"""The errors of a call, and the one table that gives each its gRPC status.

The same table serves a call that fails whole, a stream that ends, and a row of a batch that fails alone.
"""

import logging
from collections.abc import Mapping
from typing import Final

import grpc

from window_core import EventError, SnapshotError

__all__ = [
    "AbandonedError",
    "AbsentError",
    "ForbiddenError",
    "NotHeldError",
    "PluginError",
    "RequestError",
    "RowErrors",
    "TooLargeError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnusableValueError",
    "WrongServerError",
    "plugin_failures",
    "status_of",
]

_logger = logging.getLogger(__name__)


class RequestError(ValueError):
    """A request, or one row of it, does not hold what it has to; the message begins with the field at fault."""


class AbsentError(RequestError):
    """A window has no reading of a sensor, which may be absent, so there is no mean of it."""

    def __init__(self, sensor: str) -> None:
        super().__init__(f"{sensor}: no reading in the window")


class NotHeldError(LookupError):
    """The server does not hold a column, so the caller is to send the window whole; the message says which one."""


class WrongServerError(RuntimeError):
    """This server is set up for something else than this method; the message says for what."""


class TooLargeError(ValueError):
    """A call would take more memory than one may; the message says more than what."""


class PluginError(RuntimeError):
    """A feature or a model failed on a valid row; the message says which one, but nothing about its code."""


class UnusableValueError(ValueError):
    """A feature or a model gave something that cannot be an answer; the message says what."""


class UnavailableError(RuntimeError):
    """Not now: the same call may succeed later or elsewhere, so it is asked again.

    The server raises it when it takes no more calls; a feature or a model of a user's own, for example, when a store
    that it asks is away. The message is for whoever reads the log of the pipeline.
    """


class AbandonedError(RuntimeError):
    """The caller is gone or its deadline has passed: nobody would read the answer."""


class UnauthenticatedError(Exception):
    """The caller has no valid token. The answer says no more, since the caller may be guessing."""

    def __init__(self) -> None:
        super().__init__("the token is missing or not valid")


class ForbiddenError(Exception):
    """The caller's token is valid, for something else."""

    def __init__(self) -> None:
        super().__init__("the token does not allow this")


RowErrors = dict[int, Exception]
"""The rows of a batch that failed, counted from 0."""

_STATUSES: Final[tuple[tuple[type[Exception], grpc.StatusCode], ...]] = (
    (RequestError, grpc.StatusCode.INVALID_ARGUMENT),
    (EventError, grpc.StatusCode.INVALID_ARGUMENT),
    (NotHeldError, grpc.StatusCode.NOT_FOUND),
    (WrongServerError, grpc.StatusCode.FAILED_PRECONDITION),
    (TooLargeError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (PluginError, grpc.StatusCode.INTERNAL),
    (UnavailableError, grpc.StatusCode.UNAVAILABLE),
    (UnauthenticatedError, grpc.StatusCode.UNAUTHENTICATED),
    (ForbiddenError, grpc.StatusCode.PERMISSION_DENIED),
    (AbandonedError, grpc.StatusCode.CANCELLED),
    (SnapshotError, grpc.StatusCode.DATA_LOSS),
)


def status_of(error: Exception) -> tuple[grpc.StatusCode, str]:
    """The status and the text for the caller. Anything that the table does not know is INTERNAL and is logged here.

    >>> status_of(RequestError("sensor2: not finite"))
    (<StatusCode.INVALID_ARGUMENT: (3, 'invalid argument')>, 'sensor2: not finite')
    """
    for kind, code in _STATUSES:
        if isinstance(error, kind):
            return code, str(error)
    _logger.error("a call failed inside the server", exc_info=error)
    return grpc.StatusCode.INTERNAL, "the server failed on this call; its log says why"


def plugin_failures(plugin: str, causes: Mapping[int, BaseException]) -> RowErrors:
    """What the callers are told of the rows on which a plug-in failed, and one entry in the log for all of them.

    A cause may be no ``Exception``: ``sys.exit`` and a panic in Rust raise others, which would end the thread of a call
    without an answer.

    The causes lose their tracebacks: the frames in them hold the causes, and with them the call, whose stream would
    count until garbage is collected.

    Args:
        plugin: what failed, as in ``feature spread_1/v1``.
        causes: what it raised, or an ``UnusableValueError``, by row.
    """
    told: RowErrors = {
        row: cause for row, cause in causes.items() if isinstance(cause, (AbsentError, UnavailableError))
    }
    causes = {row: cause for row, cause in causes.items() if row not in told}
    if causes:
        shown = min(causes.values(), key=lambda cause: isinstance(cause, UnusableValueError))  # rather what was raised
        _logger.error("%s failed on %d rows, on one of them so:", plugin, len(causes), exc_info=shown)
    for cause in (*told.values(), *causes.values()):
        cause.__traceback__ = None
    return told | {
        row: PluginError(
            f"{plugin}: {cause}" if isinstance(cause, UnusableValueError) else f"{plugin} failed on this row"
        )
        for row, cause in causes.items()
    }
