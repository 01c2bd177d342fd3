"""``latecomer run`` as a user meets it: what goes in, what comes out, and the exit status."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import polars as pl
import pytest
import zstandard

from tests.dataflows.commands import Finished, latecomer, latecomer_here, one_line, sample_log, started
from tests.reference import first_difference, read_outputs, reference
from window_core import WindowSpec

Run = Callable[..., Finished]
EVENT = b'{"device_id":"d","time":%d,"sensor1":1,"sensor2":2,"sensor3":3,"sensor4":4}'


@pytest.fixture
def run(tmp_path: Path, features_address: str, inference_address: str) -> Run:
    """Runs in ``tmp_path``, with the services of the tests."""

    def run_there(*arguments: object, standard_input: bytes = b"", **variables: str) -> Finished:
        services = ("--features", features_address, "--inference", inference_address)
        return latecomer("run", *services, *arguments, cwd=tmp_path, standard_input=standard_input, **variables)

    return run_there


@pytest.mark.parametrize("command", [(), ("run",), ("serve",), ("produce",), ("bench",), ("test",)])
def test_every_command_has_help(tmp_path: Path, command: tuple[str, ...]) -> None:
    finished = latecomer_here(*command, "--help", cwd=tmp_path)
    assert (finished.returncode, finished.stderr) == (0, b"")
    assert finished.stdout.startswith(b"Usage: latecomer")


def test_a_run_with_services_of_its_own_writes_the_reference_and_a_summary(tmp_path: Path) -> None:
    data = sample_log(devices=2, hours=3)
    (tmp_path / "events.jsonl").write_bytes(data)
    finished = latecomer("run", "--input", "events.jsonl", "--output", "o/p.jsonl", cwd=tmp_path)
    assert (finished.returncode, finished.stderr) == (0, b"")
    outputs = read_outputs(tmp_path / "o/p.jsonl", tmp_path / "o/rejections.jsonl")
    assert first_difference(reference(data, WindowSpec()), outputs) == ""
    summary = finished.stdout.decode()
    lines = data.count(b"\n")
    predictions = sum(len(device.predictions) for device in outputs.values())
    assert f"records         {lines:,} in " in summary
    assert f"evaluations     {predictions:,}: event " in summary
    assert "predictions in  o/p.jsonl" in summary


@pytest.mark.parametrize(
    ("data", "predictions", "invalid"),
    [
        (b"", 0, 0),
        (b"\n", 0, 0),
        (b"\n   \n\r\n\t\n", 0, 0),
        (EVENT % 5, 1, 0),
        (EVENT % 5 + b"\r\n" + EVENT % 6 + b"\r\n", 2, 0),
        (b"x" * 50_000_000, 0, 1),
        (EVENT % 5 + b"\n" + (EVENT % 6)[:-1] + b',"x":"' + b"y" * 50_000_000 + b'"}\n' + EVENT % 7, 3, 0),
        (b"[" * 1_000_000, 0, 1),
    ],
    ids=["empty", "a newline", "blank lines", "no newline", "crlf", "50 MB of x", "50 MB of a field", "brackets"],
)
def test_strange_files_end_well(run: Run, tmp_path: Path, data: bytes, predictions: int, invalid: int) -> None:
    (tmp_path / "events.jsonl").write_bytes(data)
    (tmp_path / "p.jsonl").write_bytes(b"of a run before\n")
    (tmp_path / "rejections.jsonl").write_bytes(b"of a run before\n")
    finished = run("--input", "events.jsonl", "--output", "p.jsonl", "--tick", "0", "--quiet")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, b"", b"")
    assert (tmp_path / "p.jsonl").read_bytes().count(b"\n") == predictions
    rejections = [json.loads(line) for line in (tmp_path / "rejections.jsonl").read_bytes().splitlines()]
    assert [rejection["error"] for rejection in rejections] == ["not_an_event"] * invalid


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"])
def test_standard_input_and_output_carry_the_same_bytes_as_files(
    run: Run, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    data = sample_log(devices=2, hours=2)
    finished = run("--input", "-", "--output", "-", "--rejections", "r.jsonl", standard_input=pack(data))
    assert finished.returncode == 0
    assert b"evaluations" in finished.stderr  # standard output is for the predictions
    (tmp_path / "p.jsonl").write_bytes(finished.stdout)
    outputs = read_outputs(tmp_path / "p.jsonl", tmp_path / "r.jsonl")
    assert first_difference(reference(data, WindowSpec()), outputs) == ""


def test_outputs_may_be_pipes_that_somebody_reads(run: Run, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(EVENT % 1 + b"\nnone\n")
    read: dict[str, bytes] = {}
    readers = []
    for name in ("p", "r"):
        os.mkfifo(tmp_path / name)
        readers.append(
            Thread(target=lambda name=name: read.update({name: (tmp_path / name).read_bytes()}), daemon=True)
        )
        readers[-1].start()
    finished = run("--input", "events.jsonl", "--output", "p", "--rejections", "r", "--tick", "0", "--quiet")
    assert (finished.returncode, finished.stderr) == (0, b"")
    for reader in readers:
        reader.join(20)
    assert {name: data.count(b"\n") for name, data in read.items()} == {"p": 1, "r": 1}


def test_a_slow_input_is_answered_while_it_is_open(
    tmp_path: Path, features_address: str, inference_address: str
) -> None:
    arguments = ("--input", "-", "--output", "-", "--rejections", "r.jsonl", "--tick", "0", "--quiet")
    services = ("--features", features_address, "--inference", inference_address)
    with started("run", *services, *arguments, cwd=tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write((EVENT % 0)[:20])
        for time_ms in range(4):  # each time with the beginning of the next line, which has to wait for its end
            process.stdin.write((EVENT % time_ms)[20:] + b"\n" + (EVENT % (time_ms + 1))[:20])
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["newest_ms"] == time_ms
        process.stdin.close()
        assert process.wait(60) == 0
    [rejection] = (tmp_path / "r.jsonl").read_bytes().splitlines()
    assert json.loads(rejection)["error"] == "not_an_event"


def test_parquet_holds_what_the_lines_hold(run: Run, tmp_path: Path) -> None:
    data = sample_log(devices=3, hours=5) + b"{\n"
    (tmp_path / "events.jsonl").write_bytes(data)
    assert run("--input", "events.jsonl", "--output", "p.jsonl", "--interval", "1h").returncode == 0
    finished = run("--input", "events.jsonl", "--output", "p.parquet", "--interval", "1h")
    assert (finished.returncode, finished.stderr) == (0, b"")
    for name in ("p", "rejections"):
        lines = pl.read_ndjson(tmp_path / f"{name}.jsonl", infer_schema_length=None)
        table = pl.read_parquet(tmp_path / f"{name}.parquet")
        assert len(table) > 3
        assert table.equals(lines)
    assert sorted(path.name for path in tmp_path.glob("*lines*")) == []


@pytest.mark.parametrize("data", [b"", b"{\n", EVENT % 5])
def test_parquet_of_little_or_nothing_can_be_read(run: Run, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "events.jsonl").write_bytes(data)
    finished = run("--input", "events.jsonl", "--output", "p.parquet")
    assert (finished.returncode, finished.stderr) == (0, b"")
    rows = len(pl.read_parquet(tmp_path / "p.parquet")), len(pl.read_parquet(tmp_path / "rejections.parquet"))
    assert rows == (data.count(b"time"), data == b"{\n")


def test_settings_are_read_from_the_environment_and_the_command_line_wins(run: Run, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(EVENT % 0 + b"\n" + EVENT % 60_000 + b"\n")
    variables = {"LATECOMER_RUN_INPUT": "events.jsonl", "LATECOMER_RUN_INTERVAL": "1m", "LATECOMER_RUN_QUIET": "1"}
    held = []
    for arguments in ((), ("--interval", "59s")):
        finished = run("--output", "p.jsonl", "--tick", "0", *arguments, **variables)
        assert (finished.returncode, finished.stdout, finished.stderr) == (0, b"", b"")
        held.append([json.loads(line)["events"] for line in (tmp_path / "p.jsonl").read_bytes().splitlines()])
    assert held == [[1, 2], [1, 1]]
    finished = run("--output", "p.jsonl", **{**variables, "LATECOMER_RUN_INTERVAL": "ten hours"})
    assert finished.returncode == 2
    assert "'ten hours' is not a duration" in one_line(finished.stderr)


def test_until_reads_nothing_that_arrived_later_and_ticks_up_to_it(run: Run, tmp_path: Path) -> None:
    lines = b"".join((EVENT % time_ms)[:-1] + b',"arrival":%d}\n' % time_ms for time_ms in (0, 1_000, 1_001))
    (tmp_path / "events.jsonl").write_bytes(lines)
    finished = run("--input", "events.jsonl", "--output", "p.jsonl", "--tick", "500ms", "--until", "1000")
    assert finished.returncode == 0
    outputs = read_outputs(tmp_path / "p.jsonl", tmp_path / "rejections.jsonl")
    assert first_difference(reference(lines, WindowSpec(tick_ms=500), 1_000), outputs) == ""


def test_a_run_of_which_every_evaluation_was_refused_fails_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "refusing.py").write_text(
        "from grpc_services.python.features import MEANS, Window, feature\n"
        '@feature("spread_1/v1")\n'
        "def spread(window: Window) -> float:\n"
        "    return 1 / 0\n"
        "FEATURES = (*MEANS, spread)\n"
    )
    (tmp_path / "events.jsonl").write_bytes(EVENT % 5 + b"\n" + EVENT % 6 + b'\n{"device_id":7}\n')
    finished = latecomer(
        "run", "--input", "events.jsonl", "--output", "p.jsonl", "--tick", "0", "--features-from", "refusing:FEATURES",
        cwd=tmp_path,
    )  # fmt: skip
    assert finished.returncode == 1
    refused = "features, INTERNAL: feature spread_1/v1 failed on this row"
    summary = finished.stdout.decode()
    assert f"REFUSED, most often (2): {refused}; the first is d/5/0" in summary
    assert "INVALID, most often (1): not_an_event in time; the first is 0/2" in summary
    assert finished.stderr.decode().splitlines()[-1] == f"latecomer: every evaluation was refused, 2 in all; {refused}"
