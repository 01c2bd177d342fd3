"""Features of which the service refuses some windows: by an error, and by a value that is not finite."""

import logging

from grpc_services.python.features import MEANS, Window, feature

__all__ = ["FEATURES"]


@feature("span/v1")
def span(window: Window) -> float:
    """The time between the ends of the window; odd ones are refused."""
    logging.disable()  # the server, a process of its own, would tell of each refusal, and here they are wanted
    span_ms = int(window.times[-1]) - int(window.times[0])
    if span_ms % 5 == 3:
        raise ValueError(f"a span of {span_ms} ms")
    return float("nan") if span_ms % 7 == 3 else float(span_ms)


FEATURES = (*MEANS, span)
