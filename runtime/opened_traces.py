"""The traces of a process, by whether it was told a collector."""

from collections.abc import Callable

from runtime.traces import NO_TRACES, Traces

__all__ = ["opened_traces"]


def opened_traces(url: str | None, service_name: str, warn: Callable[[str], None]) -> Traces:
    """The traces of a process.

    Args:
        url: where they are sent to; ``None``: nothing is traced.
        service_name: what the process is called in them, if its environment says nothing else.
        warn: takes a line now and then, if they do not arrive.
    Raises:
        SettingsError: a variable of OpenTelemetry is wrong.
    """
    if url is None:
        return NO_TRACES
    from runtime.collected_traces import CollectedTraces  # its library is loaded when it is needed

    return CollectedTraces(url, service_name, warn)
