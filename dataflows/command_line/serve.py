"""``latecomer serve``: one of the two services, in Python or in Java."""

import os
from typing import Any

import click

from grpc_services.python.settings import SERVICES, ServerSettings
from runtime.errors import SettingsError
from runtime.options import GroupedCommand, settings_options
from runtime.settings import arguments_of
from runtime.terminal import drop_unwritten

__all__ = ["serve"]


@click.command(cls=GroupedCommand)
@click.argument("service", type=click.Choice(SERVICES))
@click.option(
    "--language",
    type=click.Choice(["python", "java"]),
    default="python",
    show_default=True,
    help="Implementation language.",
)
@settings_options(ServerSettings, "LATECOMER_SERVE_")
def serve(service: str, language: str, **options: Any) -> int:
    """Serve features or inference until SIGTERM or Ctrl-C asks for a graceful shutdown.

    SERVICE is features, which turns windows into features, or inference, which turns features into predictions. Every
    option can also be set in the environment, for example LATECOMER_SERVE_PORT=10001.
    """
    settings = ServerSettings.of(service, **options)
    if language == "java":
        _become_java(settings)
    from grpc_services.python.serve import serve as serve_until_stopped

    try:
        return serve_until_stopped(settings)
    except BrokenPipeError:  # who started it has gone before it listened: nobody is left to be told
        drop_unwritten()
        return 1


def _become_java(settings: ServerSettings) -> None:
    """Run the Java server in place of this process; both take the same options."""
    from dataflows.java_tools import java_command
    from dataflows.services.java import services_jar

    for flag, value in (("--features-from", settings.plugins.features_from), ("--model", settings.plugins.model)):
        if value is not None:
            raise SettingsError(f"{flag} is for --language python: a Java service has its own")
    java = java_command("--language java")
    arguments = [settings.service, *arguments_of(settings)]
    os.execv(java, [java, "-XX:+ExitOnOutOfMemoryError", "-jar", str(services_jar()), *arguments])
