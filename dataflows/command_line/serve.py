"""``latecomer serve``: one of the two services, in Python or in Java."""

import os
from typing import Any, Final

import click
from click.core import ParameterSource

from runtime.errors import SettingsError
from runtime.options import DURATION

__all__ = ["serve"]

_SETTINGS: Final = {
    "drain": "drain_delay_ms",
    "message_timeout": "message_timeout_ms",
    "grace": "grace_ms",
    "clock_skew": "clock_skew_ms",
    "subject": "subjects",
    "max_connection_age": "max_connection_age_ms",
    "max_connection_age_grace": "max_connection_age_grace_ms",
    "stop_with_input": "stop_at_end_of_input",
}
"""The settings of a server that have another name than their option."""


class _Names(click.ParamType):  # type: ignore[type-arg]  # generic in its types only
    """``NAME[,...]``; as a value, a tuple."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        return value if isinstance(value, tuple) else tuple(name.strip() for name in value.split(","))


@click.command()
@click.argument("service", type=click.Choice(["features", "inference"]))
@click.option("--language", type=click.Choice(["python", "java"]), default="python", show_default=True, help="Whose.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Name or address to listen on.")
@click.option(
    "--port",
    type=click.INT,
    help="Port; 0 takes a free one.  [default: 10001 features, 10011 inference; Java 9001, 9011]",
)
@click.option(
    "--features-from", metavar="MODULE:NAME", help="Features of your own.  [default: the means of the sensors]"
)
@click.option("--model", metavar="FILE|MODULE:NAME", help="Model of your own.  [default: log_reg_model/v2]")
@click.option(
    "--max-message-bytes", type=click.INT, default=32 * 1024 * 1024, show_default=True, help="Largest request."
)
@click.option("--max-concurrent-calls", type=click.INT, default=64, show_default=True, help="More are UNAVAILABLE.")
@click.option(
    "--message-timeout",
    type=DURATION,
    default="10s",
    show_default=True,
    help="Longest wait for the first message of a call; a call that sends none in time is DEADLINE_EXCEEDED.",
)
@click.option(
    "--drain", type=DURATION, default="0", show_default=True, help="Time to take calls still, once told to stop."
)
@click.option("--grace", type=DURATION, default="30s", show_default=True, help="Time for running calls to finish.")
@click.option("--tls-cert", metavar="FILE", help="Certificate, PEM: turns TLS on. It and the next two may change.")
@click.option("--tls-key", metavar="FILE", help="Its private key, PEM.")
@click.option("--tls-client-ca", metavar="FILE", help="Authorities of clients, PEM: each has to show a certificate.")
@click.option("--jwks", metavar="FILE", help="Public keys of the issuer of tokens: each call needs one. May change.")
@click.option("--issuer", metavar="TEXT", help="Who has to have issued a token.")
@click.option("--audience", metavar="TEXT", help="Whom a token has to be for.")
@click.option(
    "--jwt-algorithms",
    type=_Names(),
    metavar="NAME[,...]",
    default="RS256,ES256",
    show_default=True,
    help="Signatures.",
)
@click.option(
    "--clock-skew", type=DURATION, default="30s", show_default=True, help="Between the issuer's clock and ours."
)
@click.option(
    "--scope", metavar="NAME", help="What a token has to allow.  [default: latecomer.SERVICE; with --subject, nothing]"
)
@click.option("--subject", type=_Names(), metavar="NAME[,...]", help="Whose a token has to be.  [default: anybody's]")
@click.option("--max-connection-age", type=DURATION, default="5m", show_default=True, help="Clients then connect anew.")
@click.option(
    "--max-connection-age-grace", type=DURATION, default="30s", show_default=True, help="Time for its calls to finish."
)
@click.option("--allow-plain", is_flag=True, help="Listen without TLS where other machines can connect.")
@click.option(
    "--compression",
    type=click.Choice(["none", "gzip"]),
    default="none",
    show_default=True,
    help="gzip: accept packed requests, and pack answers to clients that take it.",
)
@click.option("--metrics-port", type=click.INT, help="Port of the metrics, in Prometheus' format; 0 takes a free one.")
@click.option("--metrics-host", metavar="HOST", help="Name or address that the metrics listen on.  [default: --host]")
@click.option("--stop-with-input", is_flag=True, help="Stop when standard input ends.")
def serve(service: str, language: str, **options: Any) -> int:
    """Serve features or inference until told to stop by SIGTERM or Ctrl-C.

    SERVICE is features (a window becomes features) or inference (features become a prediction).
    """
    if language == "java":
        _become_java(service)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # or each stranger who speaks no TLS is a line in the log
    from grpc_services.python.serve import serve as serve_until_stopped
    from grpc_services.python.settings import ServerSettings

    given = {_SETTINGS.get(name, name): value for name, value in options.items() if value is not None}
    settings = ServerSettings(service=service, **given)  # type: ignore[arg-type]  # click checked it
    try:
        return serve_until_stopped(settings)
    except BrokenPipeError:  # who started it has gone before it listened: nobody is left to be told
        return 1


def _become_java(service: str) -> None:
    """Run the Java server in place of this process, with the options that were given."""
    from dataflows.java_tools import java_command
    from dataflows.services.java import services_jar

    context = click.get_current_context()
    options = []
    for option in context.command.params:
        assert option.name is not None
        if (
            option.name in ("service", "language")
            or context.get_parameter_source(option.name) is ParameterSource.DEFAULT
        ):
            continue
        if option.name in ("features_from", "model"):
            raise SettingsError(f"{option.opts[0]} is for --language python: a Java service has its own")
        value = context.params[option.name]
        if value is True:
            options.append(option.opts[0])
        elif value is not False:
            text = ",".join(value) if isinstance(value, tuple) else f"{value}ms" if option.type is DURATION else value
            options.append(f"{option.opts[0]}={text}")
    java = java_command("--language java")
    os.execv(java, [java, "-XX:+ExitOnOutOfMemoryError", "-jar", str(services_jar()), service, *options])
