"""Java's servers in the traces of a run, and what strangers write there; as of Python's servers."""

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import grpc
import pytest

from dataflows.services.embedded import embedded_service
from tests.authority import Authority
from tests.collector import Collector, collecting
from tests.dataflows.command_line.test_traces import METHODS, batch_calls
from tests.dataflows.commands import latecomer, sample_log
from tests.grpc_services.python.test_traces import (
    BAD,
    GOOD,
    HALF_ANSWERED,
    PARENT,
    PREDICT,
    STRANGE,
    asks,
    streamed,
    unary,
)
from tests.interop.commands import LATECOMER, said

DATA = sample_log(devices=3, hours=2)


def in_java(ends: ExitStack, *options: str) -> list[str]:
    """Options of a run that asks two servers in Java."""
    return [
        f"--{name}={ends.enter_context(embedded_service(name, '--language', 'java', *options))}"
        for name in ("features", "inference")
    ]


def written(folder: Path, *options: str) -> bytes:
    """What a run predicts."""
    (folder / "events.jsonl").write_bytes(DATA)
    done = latecomer("run", "--input", "events.jsonl", "--output", "p.jsonl", *options, cwd=folder)
    assert (done.returncode, done.stderr) == (0, b"")
    return (folder / "p.jsonl").read_bytes()


@pytest.fixture(scope="module")
def untraced(jar: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    with ExitStack() as ends:
        return written(tmp_path_factory.mktemp("untraced"), *in_java(ends))


@pytest.mark.parametrize("rpc", METHODS)
def test_a_trace_leads_to_services_in_java(collector: Collector, untraced: bytes, tmp_path: Path, rpc: str) -> None:
    with ExitStack() as ends:
        services = in_java(ends, "--traces", collector.url)
        outputs = written(tmp_path, *services, "--rpc", rpc, "--traces", collector.url)
    assert outputs == untraced
    evaluations = outputs.count(b"\n")
    found = batch_calls(collector.spans())
    for process, name in zip(("latecomer-features", "latecomer-inference"), METHODS[rpc], strict=True):
        served = [span for _, _, span in found if (span.process, span.name) == (process, name)]
        assert sum(span.attributes["latecomer.rows"] for span in served) == evaluations
        assert {span.attributes["rpc.grpc.status_code"] for span in served} == {0}


def served_by_java(collector: Collector, *options: str) -> AbstractContextManager[str]:
    return embedded_service("inference", "--language", "java", "--traces", collector.url, *options)


def test_a_span_of_java_says_what_one_of_python_says(jar: Path, collector: Collector) -> None:
    with served_by_java(collector) as address, grpc.insecure_channel(address) as channel:
        unary(channel, asks(GOOD + BAD), ("traceparent", PARENT))
        with pytest.raises(grpc.RpcError):
            unary(channel, asks(GOOD[:-4]), ("traceparent", PARENT))
        with pytest.raises(grpc.RpcError):
            streamed(channel, asks(GOOD[:-4], PARENT.encode()))
    first, *others = collector.spans(3)
    assert (first.process, first.name, first.kind) == ("latecomer-inference", PREDICT[1:], "server")
    assert first.attributes == HALF_ANSWERED
    for span in (first, *others):
        assert (span.trace.hex(), span.parent.hex()) == (PARENT[3:35], PARENT[36:52])
    for span in others:
        assert span.attributes["rpc.grpc.status_code"] == grpc.StatusCode.INVALID_ARGUMENT.value[0]
        assert not span.is_error


def test_java_ignores_what_is_no_parent(jar: Path, collector: Collector) -> None:
    with served_by_java(collector) as address, grpc.insecure_channel(address) as channel:
        expected = unary(channel, asks(GOOD))
        for parent in STRANGE:
            assert unary(channel, asks(GOOD, parent)) == expected
            assert streamed(channel, asks(GOOD, parent), asks(GOOD)) == [expected, expected]
        for text in ("x", PARENT[:-1], f"{PARENT}-more", PARENT.upper()):
            assert unary(channel, asks(GOOD), ("traceparent", text)) == expected
    spans = collector.spans(5 + 3 * len(STRANGE))
    assert {span.parent for span in spans} == {b""}


@pytest.mark.parametrize("language", ["python", "java"])
def test_a_collector_over_tls_is_known_by_the_authority_of_the_environment(
    jar: Path, tmp_path: Path, language: str
) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("server")
    credentials = grpc.ssl_server_credentials([(Path(key).read_bytes(), Path(cert).read_bytes())])
    with collecting(credentials=credentials) as collector:
        trusts = {"OTEL_EXPORTER_OTLP_CERTIFICATE": authority.path}
        options = ("--language", language, "--traces", collector.url)
        with embedded_service("inference", *options, **trusts) as address, grpc.insecure_channel(address) as channel:
            unary(channel, asks(GOOD))
        assert len(collector.spans(1)) == 1


@pytest.mark.parametrize("behaves", ["hangs", "refuses"])
def test_a_server_in_java_answers_and_ends_whatever_its_collector_does(
    jar: Path, capfd: pytest.CaptureFixture[str], behaves: str
) -> None:
    with (
        collecting("hangs" if behaves == "hangs" else "refuses") as collector,
        served_by_java(collector) as address,
        grpc.insecure_channel(address) as channel,
    ):
        for _ in range(3_000):  # more than its queue holds
            unary(channel, asks(GOOD))
    said_of_traces = capfd.readouterr().err
    assert "\tat " not in said_of_traces
    assert said_of_traces.count("--traces") <= 1


@pytest.mark.parametrize("language", ["python", "java"])
def test_the_languages_refuse_alike(jar: Path, language: str) -> None:
    if language == "java":
        command = ["java", "-jar", str(jar), "features", "--port=0", "--traces=localhost:4317"]
    else:
        command = [*LATECOMER, "serve", "features", "--port=0", "--traces=localhost:4317"]
    status, out, err = said(*command)
    assert (status, out) == (2, "")
    assert "--traces must be http://HOST:PORT or https://HOST:PORT, not 'localhost:4317'" in err
    assert err.count("\n") == 1
