"""Traces of the job on Flink: its task managers send them, also what is left at the end."""

from collections import Counter
from pathlib import Path

import pytest

from tests.collector import collecting
from tests.dataflows.command_line.test_traces import METHODS, batch_calls
from tests.dataflows.commands import latecomer, sample_log

pytestmark = pytest.mark.usefixtures("has_flink")


def test_batches_of_the_job_are_traced_to_both_services_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(sample_log(devices=3, hours=2))
    with collecting() as collector:
        options = ("--engine", "flink", "--input", "events.jsonl", "--output", "p.jsonl")
        done = latecomer("run", *options, "--traces", collector.url, cwd=tmp_path)
        assert done.returncode == 0, done
        spans = collector.spans()
    evaluations = (tmp_path / "p.jsonl").read_bytes().count(b"\n")
    batches = [span for span in spans if span.name == "batch"]
    assert {batch.process for batch in batches} == {"latecomer-run"}
    assert sum(batch.attributes["latecomer.evaluations"] for batch in batches) == evaluations
    rows = Counter[str]()
    for _, _, served in batch_calls(spans):
        rows[served.name] += served.attributes["latecomer.rows"]
    assert [rows[name] for name in METHODS["stream"]] == [evaluations, evaluations]
