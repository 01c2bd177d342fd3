"""Servers of both languages count the same under the same names."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from grpc_services.python.stubs import mlpipeline_pb2_grpc
from grpc_services.python.stubs.latecomer.v1 import batch_pb2_grpc
from tests.grpc_services.python.messages import demo_window, event_list, on_stream, window_batch
from tests.interop.commands import LATECOMER, said

ENDS = 'latecomer_service_calls_total{method="/latecomer.v1.FeatureService/StreamFeatures",status="OK"} 1.0'
"""What is counted last."""


@contextmanager
def counting_server(language: str, *options: str) -> Iterator[tuple[str, str]]:
    """Its address, and where its metrics are."""
    command = [*LATECOMER, "serve", "features", "--language", language, "--port", "0", "--metrics-port", "0", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, "--stop-with-input"], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        address = process.stdout.readline().strip().partition("listening on ")[2]
        yield address, process.stderr.readline().strip().partition("metrics: ")[2]
        process.stdin.close()
        assert process.wait(60) == 0


def counted(language: str) -> dict[str, Any]:
    """What a server shows after some calls, by the name of the metric."""
    with counting_server(language) as (address, url), grpc.insecure_channel(address) as channel:
        original = mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(channel)
        batches = batch_pb2_grpc.FeatureServiceStub(channel)
        original.engineerFeatures(event_list(demo_window()))
        with pytest.raises(grpc.RpcError):
            original.engineerFeatures(event_list([]))
        batches.EngineerFeatures(window_batch([demo_window()] * 3))
        assert len(list(batches.StreamFeatures(on_stream([window_batch([demo_window()] * 2)] * 2)))) == 2
        text = ""
        while ENDS not in text:  # a call is counted when its handler has ended
            with urlopen(url, timeout=60) as answer:
                text = answer.read().decode()
    return {
        family.name: (
            family.type,
            family.documentation,
            {
                (sample.name, *sorted(sample.labels.items())): None if is_time(sample.name) else sample.value
                for sample in family.samples
            },
        )
        for family in text_string_to_metric_families(text)
        if not family.name.endswith("_created")  # Python tells since when it counts
    }


def is_time(name: str) -> bool:
    """Whether the value depends on how fast the server is."""
    return name.endswith(("_bucket", "_sum"))


def test_a_java_server_shows_the_metrics_of_a_python_server(jar: Path) -> None:
    python, java = counted("python"), counted("java")
    assert len(python) == 6
    assert java == python


def test_a_metrics_port_that_is_taken_is_one_line(jar: Path) -> None:
    for language in ("python", "java"):
        with counting_server(language) as (_, url):
            port = url.removesuffix("/metrics").rpartition(":")[2]
            serve = [*LATECOMER, "serve", "features", "--language", language, "--port", "0", "--metrics-port", port]
            status, out, err = said(*serve)
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert f"{port}: Address already in use" in err


@pytest.mark.parametrize("language", ["python", "java"])
@pytest.mark.parametrize(("options", "here"), [([], "127.0.0.1"), (["--metrics-host", "127.0.0.2"], "127.0.0.2")])
def test_the_numbers_are_served_where_the_calls_are_or_where_it_is_said_and_half_requests_hold_nothing(
    jar: Path, language: str, options: list[str], here: str
) -> None:
    with counting_server(language, *options) as (_, url), ExitStack() as ends:
        port = int(url.removesuffix("/metrics").rpartition(":")[2])
        for _ in range(50):
            half = ends.enter_context(socket.create_connection((here, port), timeout=60))
            half.sendall(b"GET /metr")
        for _ in range(5):
            with urlopen(f"http://{here}:{port}/metrics", timeout=60) as answer:
                assert b"latecomer_service_calls_running" in answer.read()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.3", port), timeout=60)


@pytest.mark.parametrize("language", ["python", "java"])
def test_probes_without_grpc_hear_that_a_server_serves_and_that_it_drains(jar: Path, language: str) -> None:
    command = [*LATECOMER, "serve", "features", "--language", language, "--port", "0", "--metrics-port", "0"]
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, "--drain", "20s"], stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout.readline().strip().partition("listening on ")[2]
        url = process.stderr.readline().strip().partition("metrics: ")[2].replace("/metrics", "/health")
        assert probed(url) == (200, b"SERVING\n")
        process.terminate()
        while (answer := probed(url)) == (200, b"SERVING\n"):  # the signal is on its way; the drain lasts far longer
            pass
        assert answer == (503, b"NOT_SERVING\n")
        process.kill()


def probed(url: str) -> tuple[int, bytes]:
    try:
        with urlopen(url, timeout=60) as answer:
            return answer.status, answer.read()
    except HTTPError as refused:
        with refused:
            return refused.status, refused.read()
