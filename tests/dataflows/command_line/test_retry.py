"""``latecomer retry`` has answered what was refused, and reads what could not be read, each once."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from tests.dataflows.commands import latecomer, latecomer_here, one_line

T = 1_587_920_400_000

MOODY = """
from pathlib import Path

from grpc_services.python.features import MEANS, Window, feature


@feature("events/v1")
def events(window: Window) -> float:
    if Path("refuse").exists() and len(window.times) % 3 == 0:
        raise ValueError("not this one")
    return float(len(window.times))


FEATURES = (*MEANS, events)
"""


def event(number: int, **other: object) -> dict[str, Any]:
    sensors = {f"sensor{sensor}": number / 8 for sensor in range(1, 5)}
    return {
        "device_id": f"d{number % 2}",
        "time": T + number * 1_000,
        **sensors,
        "arrival": T + number * 1_000,
        **other,
    }


def renamed(fields: dict[str, Any]) -> dict[str, Any]:
    return {"ts" if name == "time" else name: value for name, value in fields.items()}


EVENTS = [*(event(number) for number in range(20)), renamed(event(20)), renamed(event(21, x="y" * 70_000)), {"no": 1}]


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of which some evaluations were refused."""
    folder = tmp_path_factory.mktemp("retry")
    (folder / "moody.py").write_text(MOODY)
    (folder / "events.jsonl").write_text("".join(json.dumps(one) + "\n" for one in EVENTS))
    (folder / "refuse").touch()
    assert run(folder, "p.jsonl") == 0
    (folder / "refuse").unlink()
    assert run(folder, "answered.jsonl") == 0
    return folder


def run(folder: Path, output: str) -> int:
    rejections = ("--rejections", f"not-{output}")
    options = ("--input", "events.jsonl", "--output", output, *rejections, "--features-from", "moody:FEATURES")
    return latecomer("run", "--quiet", *options, cwd=folder).returncode


def ids(path: Path) -> list[str]:
    return [json.loads(line)["evaluation_id"] for line in path.read_bytes().splitlines()]


def test_what_was_refused_is_answered_as_a_run_would_have_it_and_once(refused: Path) -> None:
    retry = ("retry", "--run", "p.jsonl", "--output", "retried.jsonl")
    finished = latecomer(*retry, cwd=refused)
    assert finished.returncode == 0, finished.stderr
    retried = (refused / "retried.jsonl").read_bytes()
    missing = set(ids(refused / "answered.jsonl")) - set(ids(refused / "p.jsonl"))
    assert set(ids(refused / "retried.jsonl")) == missing
    assert len(missing) == len(retried.splitlines()) > 5
    assert set(retried.splitlines()) <= set((refused / "answered.jsonl").read_bytes().splitlines())
    (refused / "retried.jsonl").write_bytes(retried[:-20])  # it died while it wrote the last one
    assert b"1 predictions, added" in latecomer(*retry, cwd=refused).stdout
    assert (refused / "retried.jsonl").read_bytes() == retried
    finished = latecomer_here(*retry, cwd=refused)  # which starts no service, since nothing is left
    assert (finished.returncode, (refused / "retried.jsonl").read_bytes()) == (0, retried)
    assert f"{len(missing)}, of which {len(missing)} are in retried.jsonl".encode() in finished.stdout


def test_what_is_refused_again_is_told(refused: Path) -> None:
    (refused / "refuse").touch()
    finished = latecomer("retry", "--run", "p.jsonl", "--output", "again.jsonl", cwd=refused)
    (refused / "refuse").unlink()
    assert finished.returncode == 1
    assert b"features, INTERNAL: feature events/v1 failed on this row" in finished.stdout
    assert (refused / "again.jsonl").read_bytes() == b""


def test_invalid_records_are_events_where_they_can_be_read_also_long_ones(refused: Path) -> None:
    rejections = refused / "invalid.jsonl"
    lines = (refused / "not-p.jsonl").read_bytes().splitlines(keepends=True)
    rejections.write_bytes(b"".join(line for line in lines if b"INVALID" in line))
    [long] = [json.loads(line) for line in lines if b'"size":70' in line]
    assert len(b64decode(long["raw"])) < long["size"]
    options = ("--input", "events.jsonl", "--rejections", rejections, "--fields", "time=ts", "--output", "none.jsonl")
    for _ in range(2):
        finished = latecomer_here("retry", *options, "--events", "now.jsonl", cwd=refused)
        assert finished.returncode == 0, finished.stderr
        events = [json.loads(line) for line in (refused / "now.jsonl").read_bytes().splitlines()]
        assert events == [event(20), event(21)]
    assert b"3, of which 2 are events now" in finished.stdout
    assert not (refused / "none.jsonl").exists()  # nothing was refused


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--rejections", "nowhere"), "--rejections nowhere does not exist"),
        (("--rejections", "p.jsonl"), "holds something else than rejections"),
        (("--output", "x.parquet"), "--output must be a file of JSON lines or a topic"),
        (("--output", "./not-p.jsonl"), "--output must be a place of its own"),
        (("--events", "events.jsonl"), "--events must be a place of its own"),
        (("--from-export", "state"), "No such option '--from-export'"),
        (("--output", "no/where.jsonl"), "--output no/where.jsonl is no file in a folder that exists"),
    ],
)
def test_a_wrong_argument_is_one_line(refused: Path, options: tuple[str, ...], says: str) -> None:
    before = (refused / "events.jsonl").read_bytes(), (refused / "not-p.jsonl").read_bytes()
    finished = latecomer_here("retry", "--run", "p.jsonl", *options, cwd=refused)
    assert finished.returncode == 2
    assert says in one_line(finished.stderr)
    assert before == ((refused / "events.jsonl").read_bytes(), (refused / "not-p.jsonl").read_bytes())


def test_topics_are_gone_on_with_and_keyed_by_the_device(
    refused: Path, topics: Any, features_address: str, inference_address: str
) -> None:
    from tests.dataflows.connectors.kafka.topics import values_of

    log, output, events, rejections = (topics.made() for _ in range(4))
    records = [(one["device_id"].encode(), json.dumps(one).encode(), one["arrival"]) for one in EVENTS[:21]]
    topics.fill(log, records)
    services = ("--features", features_address, "--inference", inference_address)
    first = json.loads(records_of_a_run(refused, log, rejections, topics, services))
    options = ("--run", output, "--input", log, "--rejections", rejections, "--fields", "time=ts", *services)
    for _ in range(2):
        finished = latecomer_here("retry", *options, "--output", output, "--events", events, cwd=refused)
        assert finished.returncode == 1, finished.stderr  # under these options there are no events in the log
        assert b"1, of which 1 are events now" in finished.stdout
    assert first["reason"] == "INVALID"
    [message, _] = topics.records(events)
    assert (message.key(), message.timestamp()[1]) == (b"d0", T + 20_000)
    assert json.loads(values_of([message])[0]) == {
        name: value for name, value in event(20).items() if name != "arrival"
    }


def records_of_a_run(folder: Path, log: str, rejections: str, topics: Any, services: tuple[str, ...]) -> bytes:
    """Run over a topic; the rejection of the record that is none, and one more of an evaluation."""
    options = ("--input", log, "--output", "of-topic.jsonl", "--rejections", rejections, "--bounded", *services)
    assert latecomer("run", "--quiet", *options, cwd=folder).returncode == 0
    [invalid] = topics.records(rejections)
    refusal = {"device_id": "d0", "reason": "REFUSED", "evaluation_id": "d0/1/0"}
    topics.fill(rejections, [(b"d0", json.dumps(refusal).encode(), T)])
    value: bytes = invalid.value()
    return value
