"""``latecomer bench``: the benchmarks, all ratios from one run."""

from collections.abc import Callable

import click

__all__ = ["bench"]


@click.command()
@click.option(
    "--only",
    type=click.Choice(["core", "services", "pipeline", "languages", "security", "kafka"]),
    help="One part; without it, the first three. The next two need the Java services, the last Java and ten minutes.",
)
def bench(only: str | None) -> None:
    """Measure the core, the services and the whole pipeline on this machine."""
    from benchmarks import core, feature_service, kafka, pipeline, secured_services

    parts: dict[str, Callable[[], object]] = {
        "core": core.main,
        "services": feature_service.main,
        "pipeline": pipeline.main,
        "languages": secured_services.languages,
        "security": secured_services.security,
        "kafka": kafka.main,
    }
    for name in [only] if only else ["core", "services", "pipeline"]:
        parts[name]()
