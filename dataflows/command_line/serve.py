"""``latecomer serve``: one of the two services."""

import sys

import click

from dataflows.command_line.options import DURATION

__all__ = ["serve"]


@click.command()
@click.argument("service", type=click.Choice(["features", "inference"]))
@click.option("--host", default="127.0.0.1", show_default=True, help="Name or address to listen on.")
@click.option("--port", type=click.INT, help="Port; 0 takes a free one.  [default: 10001 features, 10011 inference]")
@click.option(
    "--features-from", metavar="MODULE:NAME", help="Features of your own.  [default: the means of the sensors]"
)
@click.option("--model", metavar="FILE|MODULE:NAME", help="Model of your own.  [default: log_reg_model/v2]")
@click.option(
    "--max-message-bytes", type=click.INT, default=32 * 1024 * 1024, show_default=True, help="Largest request."
)
@click.option("--max-concurrent-calls", type=click.INT, default=64, show_default=True, help="More are UNAVAILABLE.")
@click.option(
    "--drain", type=DURATION, default="0", show_default=True, help="Time to take calls still, once told to stop."
)
@click.option("--grace", type=DURATION, default="30s", show_default=True, help="Time for running calls to finish.")
@click.option("--stop-with-input", is_flag=True, help="Stop when standard input ends.")
def serve(
    service: str,
    host: str,
    port: int | None,
    features_from: str | None,
    model: str | None,
    max_message_bytes: int,
    max_concurrent_calls: int,
    drain: int,
    grace: int,
    stop_with_input: bool,
) -> int:
    """Serve features or inference until told to stop by SIGTERM or Ctrl-C.

    SERVICE is features (a window becomes features) or inference (features become a prediction).
    """
    from grpc_services.python.serve import serve as serve_until_stopped
    from grpc_services.python.settings import ServerSettings

    sys.path.insert(0, "")  # a plug-in is looked for in this folder first
    settings = ServerSettings(
        service=service,  # type: ignore[arg-type]  # click checked it
        host=host,
        port=port,
        features_from=features_from,
        model=model,
        max_message_bytes=max_message_bytes,
        max_concurrent_calls=max_concurrent_calls,
        drain_delay_ms=drain,
        grace_ms=grace,
        stop_at_end_of_input=stop_with_input,
    )
    return serve_until_stopped(settings)
