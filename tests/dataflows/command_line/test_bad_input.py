"""What is wrong is said in one line, with exit status 2 before anything starts and 1 for a failure."""

import gzip
import os
import socket
import subprocess
from pathlib import Path
from threading import Event as Flag

import pytest

from tests.dataflows.commands import command_of, environment, latecomer, latecomer_here, one_line, sample_log
from tests.dataflows.misbehaving import Status, misbehaving


@pytest.fixture(autouse=True)
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    path.write_bytes(sample_log(devices=2, hours=1))
    (tmp_path / "folder").mkdir()
    return path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--input", "missing.jsonl"), "--input missing.jsonl does not exist"),
        (("--input", "folder"), "--input folder is a folder, not a file"),
        (("--output", "folder"), "--output folder is a folder, not a file"),
        (("--output", "."), "--output . is a folder, not a file"),
        (("--output", "/"), "--output / is a folder, not a file"),
        (("--output", ""), "--output must name a file"),
        (("--rejections", ""), "--rejections must name a file"),
        (("--rejections", "folder"), "--rejections folder is a folder, not a file"),
        (("--output", "events.jsonl/p.jsonl"), "--output events.jsonl/p.jsonl: "),
        (("--output", "events.jsonl"), "--output and --input are the same file"),
        (("--output", "./folder/../events.jsonl"), "--output and --input are the same file"),
        (("--output", "linked.jsonl"), "--output and --input are the same file"),
        (("--output", "hard.jsonl"), "--output and --input are the same file"),
        (("--rejections", "p.jsonl"), "--rejections and --output are the same file"),
        (("--output", "\udcff.jsonl"), "--output \\udcff.jsonl: the name of the file is not UTF-8"),
        (("--output", "-"), "--rejections must be given where --output is standard output"),
        (("--interval", "ten"), "'ten' is not a duration"),
        (("--interval", "0"), "--interval must be above 0"),
        (("--max-events", "0"), "--max-events must be above 0"),
        (("--tick", "-5m"), "is not a duration"),
        (("--idle-after", "8d"), "--forget-after is 7d, below --idle-after, 8d"),
        (("--until", "-1"), "--until must be ms since the Unix epoch"),
        (("--until", "253402300800000"), "--until must be ms since the Unix epoch"),
        (("--epoch", "0"), "--epoch must be above 0"),
        (("--epoch", "36500d"), "--epoch must be at most 1d"),
        (("--timeout", "36500d"), "--timeout must be at most 1d"),
        (("--batch-windows", "0"), "--batch-windows must be above 0"),
        (("--in-flight", "0"), "--in-flight must be above 0"),
        (("--parallelism", "0"), "--parallelism must be above 0"),
        (("--parallelism", "9" * 23), "--parallelism must be at most 720"),
        (("--source-records", "1000001"), "--source-records must be at most 1000000"),
        (("--web-port", "65536"), "--web-port must be a port, or 0 for a free one, not 65536"),
        (("--web-port", "-1"), "--web-port must be a port, or 0 for a free one, not -1"),
        (("--end-offsets", "5"), "--end-offsets is for Kafka with --bounded"),
        (("--end-clock", "5"), "--end-clock needs --end-offsets"),
        (("--fields", "asset=device_id"), "--fields must be NAME=FIELD, NAME one of device_id, time, "),
        (("--fields", "time="), "--fields must be NAME=FIELD"),
        (("--fields", "time=a,time=b"), "--fields names time twice"),
        (("--time-unit", "hours"), "'hours' is not one of"),
        (("--time-zone", "UTC"), "--time-zone needs --time-unit iso"),
        (("--time-unit", "iso", "--time-zone", "Nowhere"), "--time-zone Nowhere: there is no such time zone"),
        (("--time-unit", "iso", "--time-zone", "../etc"), "--time-zone ../etc: there is no such time zone"),
        (("--features-from", "a:B"), "--features-from is for a service that the run starts"),
        (("--kafka-properties", "missing"), "--kafka-properties missing: No such file"),
        (("--output", "s3://bucket/p.jsonl"), "--output s3://bucket/p.jsonl: a location is a file, -, or kafka://"),
        (("--features", "http://localhost:10001"), "--features must be HOST:PORT"),
        (("--features", "local host:10001"), "--features must be HOST:PORT"),
        (("--features", "nonsense"), "--features must be HOST:PORT"),
        (("--features", "localhost:70000"), "--features must be HOST:PORT"),
        (("--inference", "localhost:1,"), "--inference must be HOST:PORT"),
        (("--inference", "localhost:"), "--inference must be HOST:PORT"),
        (("--rpc", "carrier-pigeon"), "'carrier-pigeon' is not one of"),
        (("--nonsense",), "No such option"),
        (("--until",), "Option '--until' requires an argument. (see latecomer run --help)"),
        (("events.jsonl",), "unexpected extra argument"),
    ],
)
def test_a_wrong_argument_is_named_and_nothing_is_written(
    tmp_path: Path, events: Path, services: tuple[str, ...], arguments: tuple[str, ...], says: str
) -> None:
    (tmp_path / "linked.jsonl").symlink_to(events)
    os.link(events, tmp_path / "hard.jsonl")
    before = sorted(tmp_path.rglob("*")), events.read_bytes()
    usual = ("--input", "events.jsonl", "--output", "p.jsonl")
    finished = latecomer_here("run", *services, *usual, *arguments, cwd=tmp_path)
    assert (finished.returncode, finished.stdout) == (2, b"")
    line = one_line(finished.stderr)
    assert line.startswith("latecomer: ")
    assert says in line
    assert (sorted(tmp_path.rglob("*")), events.read_bytes()) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--model", "nowhere.json"), "--model nowhere.json: No such file or directory"),
        (("--model", "nowhere.onnx"), "--model nowhere.onnx: No such file or directory"),
        (("--model", "folder"), "--model folder: Is a directory"),
        (("--model", "events.jsonl"), "--model events.jsonl is not an artifact: Extra data: "),
        (("--model", "nowhere:MODEL"), "--model nowhere:MODEL cannot be loaded: ModuleNotFoundError: "),
        (("--model", "json:dumps"), "--model json:dumps is not a model"),
        (("--features-from", "nowhere"), "--features-from must be written module:name, not 'nowhere'"),
        (("--features-from", "ends:FEATURES"), "--features-from ends:FEATURES cannot be loaded: SystemExit: 7"),
    ],
)
def test_wrong_features_and_models_of_ones_own_are_named(
    tmp_path: Path, services: tuple[str, ...], arguments: tuple[str, ...], says: str
) -> None:
    (tmp_path / "ends.py").write_text("raise SystemExit(7)")
    other = services[2:] if arguments[0] == "--features-from" else services[:2]
    usual = ("--input", "events.jsonl", "--output", "p.jsonl")
    finished = latecomer("run", *other, *usual, *arguments, cwd=tmp_path)
    assert (finished.returncode, finished.stdout) == (2, b"")
    assert one_line(finished.stderr).startswith(f"latecomer: {says}")
    assert not (tmp_path / "p.jsonl").exists()


def test_a_process_of_its_own_says_it_in_the_same_way(tmp_path: Path) -> None:
    finished = latecomer("run", "--input", "missing.jsonl", cwd=tmp_path)
    assert (finished.returncode, finished.stdout) == (2, b"")
    assert one_line(finished.stderr) == "latecomer: --input missing.jsonl does not exist"


@pytest.mark.parametrize("source", ["missing.jsonl", "."])
def test_windows_that_are_not_there_are_a_wrong_argument(tmp_path: Path, source: str) -> None:
    finished = latecomer_here("ask", "--input", source, cwd=tmp_path)
    assert (finished.returncode, finished.stdout) == (2, b"")
    assert one_line(finished.stderr) == f"latecomer: --input {source} does not exist, or is no file"


@pytest.mark.parametrize(
    ("beginning", "says"),
    [
        ("{".encode("utf-16"), "UTF-16: write it as UTF-8"),
        ("\ufeff{".encode("utf-16-be"), "UTF-16: write it as UTF-8"),
        (gzip.compress(b"{}")[:11], "damaged or cut: "),
        (b"\x28\xb5\x2f\xfd\x00", "damaged or cut: "),
        (b"PAR1\x15", "Parquet: give --format parquet"),
    ],
)
def test_a_file_of_another_format_is_told_by_its_name(tmp_path: Path, beginning: bytes, says: str) -> None:
    (tmp_path / "events").write_bytes(beginning)
    finished = latecomer_here("run", "--input", "events", "--output", "p.jsonl", cwd=tmp_path)
    assert (finished.returncode, finished.stdout) == (1, b"")
    assert one_line(finished.stderr).startswith(f"latecomer: --input events is {says}")
    assert not (tmp_path / "p.jsonl").exists()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("{".encode("utf-16"), "is UTF-16: write it as UTF-8"),
        (gzip.compress(b"{}")[:-3], "is damaged or cut: it has no end"),
        (b"PAR1\x15", "is Parquet: give a file, since it is read from its end"),
    ],
)
def test_standard_input_of_another_format_is_told(
    tmp_path: Path, services: tuple[str, ...], data: bytes, says: str
) -> None:
    finished = latecomer("run", *services, "--input", "-", "--output", "p.jsonl", cwd=tmp_path, standard_input=data)
    assert (finished.returncode, finished.stdout) == (1, b"")
    assert one_line(finished.stderr) == f"latecomer: --input - {says}"


def test_a_closed_standard_input_is_said(tmp_path: Path, services: tuple[str, ...]) -> None:
    finished = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *command_of("run", *services, "--input", "-", "--output", "p.jsonl")],
        cwd=tmp_path, env=environment(), capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert finished.returncode == 2
    assert "--input -: standard input is closed" in one_line(finished.stderr)


def test_a_port_that_is_taken_is_not_shared(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finished = latecomer("serve", "features", "--port", port, cwd=tmp_path)
    assert (finished.returncode, finished.stdout) == (1, b"")
    assert f"cannot listen on 127.0.0.1:{port}" in one_line(finished.stderr)


def away(name: str, request: object, number: int) -> Status:
    return Status.UNAVAILABLE


def garbage(name: str, request: object, number: int) -> bytes:
    return b"\xff\xff"


def too_few_rows(name: str, request: object, number: int) -> object:
    def change(answer: object) -> None:
        answer.rows -= 1  # type: ignore[attr-defined]

    return change


def silence(name: str, request: object, number: int) -> Status:
    ENDED.wait()
    return Status.UNAVAILABLE


ENDED = Flag()


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (away, "failed 2 attempts of up to 300ms: UNAVAILABLE: as told"),
        (silence, "failed 2 attempts of up to 300ms: DEADLINE_EXCEEDED"),
        (garbage, "answered 2 bytes that are no PredictionBatch"),
        (too_few_rows, "predictions to "),
    ],
)
def test_a_service_that_cannot_be_worked_with_fails_the_run(
    tmp_path: Path, features_address: str, inference_address: str, rule: object, says: str
) -> None:
    with misbehaving(inference_address, rule) as inference:
        ENDED.clear()
        finished = latecomer(
            "run", "--features", features_address, "--inference", inference.address, "--input", "events.jsonl",
            "--output", "p.jsonl", "--attempts", "2", "--timeout", "300ms" if rule in (away, silence) else "30s",
            "--pause", "1ms", cwd=tmp_path,
        )  # fmt: skip
        ENDED.set()
    assert finished.returncode == 1
    line = one_line(finished.stderr)
    assert line.startswith(f"latecomer: the inference service at {inference.address} ")
    assert says in line
    assert (tmp_path / "p.jsonl").read_bytes() == b""


def test_services_for_other_sensors_end_a_run_before_its_first_event(tmp_path: Path, services: tuple[str, ...]) -> None:
    finished = latecomer(
        "run", *services, "--input", "events.jsonl", "--output", "p.jsonl", "--quiet",
        "--sensors", "sensor1,sensor2?", cwd=tmp_path,
    )  # fmt: skip
    assert finished.returncode == 1
    assert one_line(finished.stderr) == (
        "latecomer: the feature service is for the sensors sensor1, sensor2, sensor3, sensor4; the sensors of this run "
        "are sensor1, sensor2?: see --sensors"
    )
    assert not (tmp_path / "p.jsonl").exists() or (tmp_path / "p.jsonl").read_bytes() == b""


@pytest.mark.parametrize(
    "command", [("run",), ("serve", "features"), ("parity",), ("produce",), ("heartbeat", "kafka://a:1/t")]
)
def test_a_key_of_a_settings_file_that_is_no_setting_is_named(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "wrong.toml").write_text("colour = 1\n")
    finished = latecomer_here(*command, "--config", "wrong.toml", cwd=tmp_path)
    assert finished.returncode == 2
    assert one_line(finished.stderr) == "latecomer: --config wrong.toml: there is no setting colour"


def test_a_fleet_is_set_by_a_file_and_the_command_line_comes_first(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text('devices = 2\nduration = "1h"\nevents = 9\noutput = "fleet.jsonl"\n')
    finished = latecomer_here("produce", "--config", "fleet.toml", "--events", "7", cwd=tmp_path)
    assert one_line(finished.stderr) == "7 events in fleet.jsonl"
