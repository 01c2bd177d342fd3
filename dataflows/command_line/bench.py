"""``latecomer bench``: the benchmarks, all ratios from one run."""

import click

__all__ = ["bench"]


@click.command()
@click.option("--only", type=click.Choice(["core", "services", "pipeline"]), help="One part; without it, all.")
def bench(only: str | None) -> None:
    """Measure the core, the services and the whole local pipeline on this machine."""
    from benchmarks import core, feature_service, pipeline

    for name, measure in (("core", core.main), ("services", feature_service.main), ("pipeline", pipeline.main)):
        if only in (None, name):
            measure()
