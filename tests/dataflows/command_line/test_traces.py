"""Traces of a run as a user gets them: off without the option, complete with it, and never in the way."""

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import pytest

from tests.collector import Collector, ReceivedSpan, collecting
from tests.dataflows.commands import Finished, environment, latecomer, latecomer_here, one_line, sample_log

OF_STREAMS = ("latecomer.v1.FeatureService/StreamFeatures", "latecomer.v1.InferenceService/StreamPredictions")
METHODS = {
    "stream": OF_STREAMS,
    "batch": ("latecomer.v1.FeatureService/EngineerFeatures", "latecomer.v1.InferenceService/Predict"),
    "unary": ("mlpipeline.FeatureEngineeringService/engineerFeatures", "mlpipeline.PredictionService/predict"),
}
DATA = sample_log(devices=3, hours=2)


def run(folder: Path, *options: str, **variables: str) -> tuple[Finished, bytes]:
    """A run with services of its own, and its outputs."""
    (folder / "events.jsonl").write_bytes(DATA)
    finished = latecomer("run", "--input", "events.jsonl", "--output", "p.jsonl", *options, cwd=folder, **variables)
    assert finished.returncode == 0, finished
    return finished, (folder / "p.jsonl").read_bytes() + (folder / "rejections.jsonl").read_bytes()


@pytest.fixture(scope="module")
def untraced(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    finished, outputs = run(tmp_path_factory.mktemp("untraced"))
    assert finished.stderr == b""
    return outputs


def batch_calls(spans: Sequence[ReceivedSpan]) -> list[tuple[ReceivedSpan, ReceivedSpan, ReceivedSpan]]:
    """Each batch with a call of it, and what a server says of that call."""
    by_id = {span.id: span for span in spans}
    found = []
    for served in spans:
        if served.kind == "server" and served.parent:
            called = by_id[served.parent]
            assert (served.name, served.trace) == (called.name, called.trace)
            assert called.kind == "client"
            if called.parent:
                batch = by_id[called.parent]
                assert (batch.name, batch.kind, batch.trace, batch.parent) == ("batch", "internal", called.trace, b"")
                found.append((batch, called, served))
    return found


@pytest.mark.parametrize("rpc", METHODS)
def test_a_trace_leads_from_a_batch_over_its_calls_to_both_services(
    collector: Collector, untraced: bytes, tmp_path: Path, rpc: str
) -> None:
    finished, outputs = run(tmp_path, "--traces", collector.url, "--rpc", rpc)
    assert (finished.stderr, outputs) == (b"", untraced)
    spans = collector.spans()
    evaluations = (tmp_path / "p.jsonl").read_bytes().count(b"\n")
    rows = Counter[tuple[str, str]]()
    for batch, called, served in batch_calls(spans):
        assert (batch.process, called.process) == ("latecomer-run", "latecomer-run")
        assert not batch.is_error
        asked = called.attributes["latecomer.windows"]
        assert (served.attributes["latecomer.rows"], served.attributes["rpc.grpc.status_code"]) == (asked, 0)
        assert called.attributes["server.address"] == "127.0.0.1"
        service, _, method = called.name.rpartition("/")
        for span in (called, served):
            told = span.attributes["rpc.system"], span.attributes["rpc.service"], span.attributes["rpc.method"]
            assert told == ("grpc", service, method)
        rows[served.process, served.name] += asked
    features, inference = METHODS[rpc]
    assert rows["latecomer-features", features] == evaluations
    assert rows["latecomer-inference", inference] == evaluations
    batches = [span.attributes for span in spans if span.name == "batch"]
    assert sum(one["latecomer.evaluations"] for one in batches) == evaluations
    assert sum(one["latecomer.outputs"] for one in batches) >= evaluations
    ids = [line.split(b'"')[3].decode() for line in (tmp_path / "p.jsonl").read_bytes().splitlines()]
    named = [one for one in batches if one["latecomer.evaluations"]]
    assert named[0]["latecomer.first_evaluation"] == ids[0]
    assert named[-1]["latecomer.last_evaluation"] == ids[-1]


def test_the_environment_names_the_run_and_its_services_keep_their_names(collector: Collector, tmp_path: Path) -> None:
    of_library = {"OTEL_SERVICE_NAME": "site-7", "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=plant"}
    run(tmp_path, **of_library, LATECOMER_RUN_TRACES=collector.url)
    assert {span.process for span in collector.spans()} == {"site-7", "latecomer-features", "latecomer-inference"}
    assert collector.headers["x-tenant"] == "plant"


def test_a_sampler_of_the_environment_decides_for_whole_traces(collector: Collector, tmp_path: Path) -> None:
    run(tmp_path, "--traces", collector.url, OTEL_TRACES_SAMPLER="parentbased_always_off")
    assert collector.spans() == []


@pytest.mark.parametrize("behaves", ["hangs", "refuses", "is away"])
def test_a_collector_that_does_not_take_traces_changes_no_output_and_holds_nothing_up(
    untraced: bytes, tmp_path: Path, behaves: str
) -> None:
    began_s = monotonic()
    run(tmp_path)
    usual_s = monotonic() - began_s
    with collecting("hangs" if behaves == "hangs" else "refuses") as collector:
        url = "http://127.0.0.1:1" if behaves == "is away" else collector.url
        began_s = monotonic()
        finished, outputs = run(tmp_path, "--traces", url)
        took_s = monotonic() - began_s
    assert outputs == untraced
    assert took_s - usual_s < 12  # each of three processes waits 2 s at most; the rest is for a busy machine
    told = finished.stderr.decode() + finished.stdout.decode()
    assert f"--traces {url}: " in told
    assert "Traceback" not in told
    assert finished.stderr.count(b"\n") <= 2  # a line from each service, at most
    assert finished.stdout.count(b"--traces") == 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:4317",
        "http://localhost",
        "http://localhost:0",
        "http://a:b@c:4317",
        "grpc://a:1",
        "http://a:1/v1",
    ],
)
@pytest.mark.parametrize("command", [("run",), ("serve", "features"), ("serve", "inference")])
def test_what_is_no_url_of_a_collector_is_refused_in_one_line(
    tmp_path: Path, command: tuple[str, ...], url: str
) -> None:
    refused = latecomer_here(*command, "--traces", url, cwd=tmp_path)
    assert refused.returncode == 2
    assert f"--traces must be http://HOST:PORT or https://HOST:PORT, not {url!r}" in one_line(refused.stderr)


def test_a_wrong_variable_of_the_library_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(DATA)
    refused = latecomer(
        "run", "--input", "events.jsonl", "--traces", "http://127.0.0.1:1", cwd=tmp_path, OTEL_EXPORTER_OTLP_TIMEOUT="x"
    )
    assert refused.returncode == 2
    assert "--traces: a variable of OpenTelemetry is wrong: " in one_line(refused.stderr)


LOADED = """
import sys
from dataflows.command_line.run import run
status = run.main({arguments!r}, standalone_mode=False)
assert not [name for name in sys.modules if name.startswith("opentelemetry")], "loaded"
"""


def test_without_the_option_no_module_of_the_library_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(DATA)
    script = LOADED.format(arguments=["--input", "events.jsonl", "--output", "p.jsonl"])
    command = [sys.executable, "-P", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")
