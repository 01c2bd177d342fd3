"""The local overlay alone: from nothing to predictions, and those are the ones of the core, byte by byte."""

from time import monotonic

import pytest

from tests.deploy.cluster.pipeline import Pipeline


@pytest.mark.timeout(1_800)
def test_100_000_events_give_what_the_core_gives(pipeline: Pipeline, report: list[str]) -> None:
    start_s = monotonic()
    pipeline.tool(*pipeline.fleet(), "--devices", "140")
    comparison = pipeline.compared()
    report.append(f"a backlog of 100,000 events: {comparison} within {monotonic() - start_s:.0f} s")
    assert comparison["expected"] > 100_000
    assert comparison.is_equal, comparison
