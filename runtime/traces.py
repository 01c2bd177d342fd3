"""What is traced: batches, the requests of each, and on a server their answers. Without ``--traces`` nothing is.

What is here does nothing, and loads no module of OpenTelemetry. What traces is ``collected_traces``; ``opened_traces``
chooses between the two.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from runtime.errors import SettingsError

if TYPE_CHECKING:
    import grpc

__all__ = [
    "NOT_TRACED",
    "NO_TRACES",
    "RUN_IN_TRACES",
    "TRACES_TEXT",
    "TRACE_PARENT",
    "Span",
    "Traces",
    "check_collector",
    "service_in_traces",
]

Function = TypeVar("Function", bound=Callable[..., object])

TRACE_PARENT: Final = "traceparent"
"""The metadata of a call that name its caller's span. Source: W3C, Trace Context, section 3.2."""

TRACES_TEXT: Final = (
    "OpenTelemetry collector to send traces to, by OTLP over gRPC: http://HOST:PORT, or https:// with TLS; "
    "the usual port is 4317. OpenTelemetry's own variables, OTEL_..., set the rest. Default: no traces."
)
"""Help of the option, the same for a run and for a service."""

RUN_IN_TRACES: Final = "latecomer-run"
"""What a process of a run is called, if its environment says nothing else."""

_COLLECTOR: Final = re.compile(r"https?://([^\s/@:?#]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})/?")


def check_collector(url: str) -> None:
    """Check where traces are sent to.

    Raises:
        SettingsError: it is no such URL.
    """
    found = _COLLECTOR.fullmatch(url)
    if found is None or not 0 < int(found[2]) < 65_536:
        raise SettingsError(f"--traces must be http://HOST:PORT or https://HOST:PORT, not {url!r}")


def service_in_traces(service: str) -> str:
    """What a service is called in traces, as above."""
    return f"latecomer-{service}"


class Span:
    """A step of a trace, from when it was begun to its end; this one is not traced.

    Attributes:
        parent: what the one who is asked is told of it, as W3C writes it; ``None``: nothing.
    """

    __slots__ = ()

    @property
    def parent(self) -> str | None:
        return None

    @property
    def metadata(self) -> tuple[tuple[str, str], ...] | None:
        """Those of a call that is this step."""
        parent = self.parent
        return None if parent is None else ((TRACE_PARENT, parent),)

    def note(self, name: str, value: int | str) -> None:
        """Say something about it."""

    def end(self, status: "grpc.StatusCode | None" = None) -> None:
        """It has ended so, by default as it should; only the first end counts."""


NOT_TRACED: Final = Span()


class Traces:
    """Traces nothing. May be used by several threads at once."""

    is_on = False

    @contextmanager
    def batch(self) -> Iterator[Span]:
        """The outputs of windows that are worked on together: what is asked inside, in this thread, belongs to it."""
        yield NOT_TRACED

    def carried(self, function: Function) -> Function:
        """The function, for other threads: what it asks belongs to the batch of the thread that is here now."""
        return function

    def request(self, method: str, host_port: str, windows: int) -> Span:
        """A request is sent.

        Args:
            method: its full name, as ``/package.Service/Method``.
            host_port: where to.
            windows: how many it asks about.
        """
        return NOT_TRACED

    def answer(self, method: str, parent: str | bytes, rows: int) -> Span:
        """A request has come.

        Args:
            method: its full name.
            parent: what it says of its caller's span; whatever is no such thing is ignored.
            rows: how many it asks about.
        """
        return NOT_TRACED

    def close(self) -> None:
        """Send what has not been sent, for as long as that may take."""


NO_TRACES: Final = Traces()
