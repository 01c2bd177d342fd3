import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from grpc_services.python.stubs import mlpipeline_pb2_grpc
from tests.grpc_services.python.messages import demo_window, event_list

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys
from grpc_services.python.serve import serve
from grpc_services.python.settings import ServerSettings
sys.exit(serve(ServerSettings.of({arguments})))
"""
LIMIT_S = 120


@contextmanager
def serving(arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "error", "-c", PROGRAM.format(arguments=arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_ends_with_status_0(number):
    with serving("'features', port=0") as process:
        line = process.stdout.readline()
        assert line.startswith("features: listening on 127.0.0.1:")
        with grpc.insecure_channel(line.split()[-1]) as channel:
            answer = mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(channel).engineerFeatures(
                event_list(demo_window())
            )
            assert len(answer.feature) == 4
            process.send_signal(number)
            assert process.wait(LIMIT_S) == 0
        assert process.stdout.read() == ""
        assert process.stderr.read() == ""


def test_probes_without_grpc_are_told_that_a_server_drains():
    with serving("'inference', port=0, metrics_port=0, drain_delay_ms=3_600_000") as process:
        assert process.stdout.readline().startswith("inference: listening on ")
        url = process.stderr.readline().split()[-1].removesuffix("metrics") + "health"
        assert probed(url) == (200, b"SERVING\n")
        process.send_signal(signal.SIGTERM)
        said = (probed(url) for _ in range(1_000))  # the signal is on its way
        assert (503, b"NOT_SERVING\n") in said


def probed(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=LIMIT_S) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.status, refused.read()


def test_a_second_signal_cuts_the_drain_short():
    with serving("'inference', port=0, drain_delay_ms=3_600_000") as process:
        assert process.stdout.readline().startswith("inference: listening on ")
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 0


def test_a_server_ends_with_its_standard_input_where_that_is_set():
    with serving("'inference', port=0, stop_at_end_of_input=True") as process:
        assert process.stdout.readline().startswith("inference: listening on ")
        process.stdin.write("what comes in is not read\n")
        process.stdin.close()
        assert process.wait(LIMIT_S) == 0
        assert process.stderr.read() == ""


def test_a_port_that_is_taken_is_one_line_and_status_1(started):
    server, _ = started("features")
    with serving(f"'inference', port={server.port}") as process:
        assert process.wait(LIMIT_S) == 1
        assert process.stdout.read() == ""
        expected = f"inference: cannot listen on 127.0.0.1:{server.port}: Address already in use\n"
        assert process.stderr.read() == expected
