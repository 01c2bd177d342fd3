import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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


def test_what_a_plug_in_prints_goes_to_standard_error(tmp_path, monkeypatch):
    (tmp_path / "chatty.py").write_text(
        "import os\nfrom grpc_services.python.features import feature\nprint('imported')\n"
        "@feature('events/v1')\ndef events(window):\n"
        "    print('x' * 100_000)\n    os.write(1, b'from C')\n    return len(window)\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    with serving("'features', port=0, features_from='chatty:events'") as process:
        line = process.stdout.readline()
        assert line.startswith("features: listening on 127.0.0.1:")
        with ThreadPoolExecutor(1) as reading, grpc.insecure_channel(line.split()[-1]) as channel:
            said = reading.submit(process.stderr.read)
            ask = mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(channel).engineerFeatures
            assert ask(event_list(demo_window()), timeout=LIMIT_S).feature[0].name == "events/v1"
            process.send_signal(signal.SIGTERM)
            assert process.wait(LIMIT_S) == 0
            assert process.stdout.read() == ""
            assert (said.result().count("x"), said.result().count("from C")) == (100_000, 1)
            assert "imported\n" in said.result()


@pytest.mark.parametrize("is_watched", [True, False])
def test_a_wrong_plug_in_is_said_where_the_server_would_say_that_it_listens(is_watched):
    message = "--model nowhere.json: No such file or directory"
    with serving(f"'inference', port=0, model='nowhere.json', stop_at_end_of_input={is_watched}") as process:
        read, said = process.communicate(timeout=LIMIT_S)
        if is_watched:
            assert (process.returncode, read, said) == (2, message + "\n", "")
        else:
            assert read == ""
            assert said.endswith(f"SettingsError: {message}\n")


def test_a_port_that_is_taken_is_one_line_and_status_1(started):
    server, _ = started("features")
    with serving(f"'inference', port={server.port}") as process:
        assert process.wait(LIMIT_S) == 1
        assert process.stdout.read() == ""
        expected = f"inference: cannot listen on 127.0.0.1:{server.port}: Address already in use\n"
        assert process.stderr.read() == expected
