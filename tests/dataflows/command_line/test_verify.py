"""``latecomer verify`` finds every fault of outputs, and none where there is none."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.dataflows.commands import Finished, latecomer, latecomer_here, one_line, sample_log, started
from tests.faults.figures import KILLS

Lines = list[bytes]
WINDOW = ("--interval", "1h", "--idle-after", "1h")


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, features_address: str, inference_address: str) -> Path:
    """The folder of a run that has ended, with some INVALID lines and one device that the services refuse."""
    folder = tmp_path_factory.mktemp("verify")
    lines = sample_log(devices=3, hours=3, late=0.1, duplicates=0.05).splitlines(keepends=True)
    lines[20:20] = [b"no event\n", b'{"device_id":7}\n']
    (folder / "events.jsonl").write_bytes(b"".join(lines))
    services = ("--features", features_address, "--inference", inference_address)
    finished = latecomer("run", "--input", "events.jsonl", "--output", "p.jsonl", *services, *WINDOW, cwd=folder)
    assert finished.returncode == 0, finished.stderr
    return folder


def verified(folder: Path, *options: str, output: str = "p.jsonl") -> tuple[int, dict[str, Any]]:
    finished = latecomer_here("verify", "--json", "--output", output, *options, cwd=folder)
    assert finished.stderr == b""
    return finished.returncode, json.loads(finished.stdout)


def faults(found: dict[str, Any]) -> dict[str, int]:
    """What was found, and how often."""
    named = ("repeats", "holes", "differences", "strangers", "disorder")
    return {name: found[name]["count"] for name in named if found[name]["count"]}


def copied(folder: Path, here: Path, change: Callable[[Lines, Lines], None]) -> None:
    """The outputs and the run record, after a change of their lines."""
    predictions, rejections = ((folder / name).read_bytes().splitlines() for name in ("p.jsonl", "rejections.jsonl"))
    change(predictions, rejections)
    for name, lines in (("p.jsonl", predictions), ("rejections.jsonl", rejections)):
        (here / name).write_bytes(b"".join(line + b"\n" for line in lines))
    (here / "p.jsonl.run.toml").write_bytes((folder / "p.jsonl.run.toml").read_bytes())


def where(lines: Lines, *texts: bytes) -> int:
    """The number of the line in the midst that has all of these texts."""
    found = [number for number, line in enumerate(lines) if all(text in line for text in texts)]
    return found[len(found) // 2]


def a_prediction_removed(predictions: Lines, _: Lines) -> None:
    del predictions[where(predictions, b'"event"')]


def a_tick_removed(predictions: Lines, _: Lines) -> None:
    del predictions[where(predictions, b'"tick"')]


def a_rejection_removed(_: Lines, rejections: Lines) -> None:
    del rejections[where(rejections, b"DUPLICATE")]


def an_invalid_removed(_: Lines, rejections: Lines) -> None:
    del rejections[where(rejections, b"INVALID")]


def repeated(predictions: Lines, rejections: Lines) -> None:
    predictions.append(predictions[3])
    rejections.append(rejections[0])


def repeated_with_another_value(predictions: Lines, _: Lines) -> None:
    predictions.append(predictions[3].replace(b'"events":', b'"events":1'))


def another_value_came_first(predictions: Lines, _: Lines) -> None:
    predictions.insert(3, predictions[3].replace(b'"events":', b'"events":1'))


def one_digit_changed(predictions: Lines, _: Lines) -> None:
    line = predictions[40]
    at = line.index(b'"logistic_regression_result":"0.') + 36
    predictions[40] = line[:at] + (b"3" if line[at : at + 1] != b"3" else b"4") + line[at + 1 :]


def one_too_many(predictions: Lines, _: Lines) -> None:
    fields = json.loads(predictions[-1])
    fields["evaluation_id"] += "0"
    predictions.append(json.dumps(fields, separators=(",", ":")).encode())


def an_event_rejected_as_well(predictions: Lines, rejections: Lines) -> None:
    position = json.loads(predictions[where(predictions, b'"event"')])["position"]
    rejections.append(rejections[-1].replace(json.loads(rejections[-1])["position"].encode(), position.encode()))


def two_swapped(predictions: Lines, _: Lines) -> None:
    mine = [number for number, line in enumerate(predictions) if b'"device_id":"device-0001"' in line]
    one, two = mine[10:12]
    predictions[one], predictions[two] = predictions[two], predictions[one]


def two_rejections_swapped(_: Lines, rejections: Lines) -> None:
    mine = [number for number, line in enumerate(rejections) if b'"device_id":"device-0001"' in line]
    one, two = mine[:2]
    rejections[one], rejections[two] = rejections[two], rejections[one]


def devices_swapped(predictions: Lines, _: Lines) -> None:
    predictions.sort(key=lambda line: json.loads(line)["device_id"])


def a_line_cut(predictions: Lines, _: Lines) -> None:
    predictions[-1] = predictions[-1][:50]


TOPIC_FAULTS: tuple[tuple[Callable[[Lines, Lines], None], dict[str, int]], ...] = (
    (a_prediction_removed, {"holes": 1}),
    (a_tick_removed, {"holes": 1}),
    (a_rejection_removed, {"holes": 1}),
    (repeated_with_another_value, {"differences": 1}),
    (one_digit_changed, {"differences": 1}),
    (one_too_many, {"strangers": 1}),
    (two_swapped, {"disorder": 1}),
)
"""Each kind, in topics as well as in files."""


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        *TOPIC_FAULTS,
        (an_invalid_removed, {"holes": 1}),
        (repeated, {"repeats": 2}),
        (another_value_came_first, {"differences": 1}),
        (an_event_rejected_as_well, {"strangers": 1}),
        (two_rejections_swapped, {"disorder": 1}),
        (devices_swapped, {}),
        (a_line_cut, {"strangers": 1, "holes": 1}),
    ],
)
def test_a_fault_is_found_and_nothing_else(
    ended: Path, tmp_path: Path, change: Callable[[Lines, Lines], None], expected: dict[str, int]
) -> None:
    copied(ended, tmp_path, change)
    status, found = verified(tmp_path)
    assert faults(found) == expected
    assert status == (1 if set(expected) - {"repeats"} else 0)
    if change is not one_digit_changed:  # which is in what the services say
        assert faults(verified(tmp_path, "--without-services")[1]) == expected
    else:
        assert faults(verified(tmp_path, "--without-services")[1]) == {}


def test_the_first_fault_is_named_with_what_is_wrong(ended: Path, tmp_path: Path) -> None:
    copied(ended, tmp_path, repeated_with_another_value)
    finished = latecomer_here("verify", "--output", "p.jsonl", cwd=tmp_path)
    fourth = json.loads((ended / "p.jsonl").read_bytes().splitlines()[3])
    assert finished.returncode == 1
    said = finished.stdout.decode()
    assert f"1; the first is {fourth['evaluation_id']} ({fourth['position']})" in said
    assert f"events is 1{fourth['events']}, should be {fourth['events']}" in said


def test_quiet_leaves_the_exit_status(ended: Path, tmp_path: Path) -> None:
    copied(ended, tmp_path, a_prediction_removed)
    finished = latecomer_here("verify", "--output", "p.jsonl", "--quiet", cwd=tmp_path)
    assert (finished.returncode, finished.stdout, finished.stderr) == (1, b"", b"")


def test_some_devices_or_a_sample_of_them_are_looked_at_alone(ended: Path, tmp_path: Path) -> None:
    copied(ended, tmp_path, a_prediction_removed)
    counts = [verified(tmp_path, "--devices", f"device-000{number}")[1]["holes"]["count"] for number in range(3)]
    assert sorted(counts) == [0, 0, 1]
    assert verified(tmp_path, "--sample", "100%")[1]["holes"]["count"] == 1
    assert verified(tmp_path, "--sample", "0.001%")[1]["predictions"] == 0


def test_other_settings_than_those_of_the_record_are_told(ended: Path) -> None:
    finished = latecomer_here("verify", "--output", "p.jsonl", "--interval", "30m", cwd=ended)
    assert finished.returncode == 1
    assert b"the outputs were written with --interval 1h, not 30m" in finished.stderr


def test_parquet_is_verified_like_lines(ended: Path, features_address: str, inference_address: str) -> None:
    import polars as pl

    services = ("--features", features_address, "--inference", inference_address)
    output = ("--input", "events.jsonl", "--output", "p.parquet")
    assert latecomer("run", *output, *services, *WINDOW, cwd=ended).returncode == 0
    status, found = verified(ended, output="p.parquet")
    assert (status, faults(found)) == (0, {})
    assert found["rejections"] > 5
    table = pl.read_parquet(ended / "p.parquet")
    pl.concat([table[:7], table[8:]]).write_parquet(ended / "p.parquet")
    status, found = verified(ended, output="p.parquet")
    assert (status, faults(found)) == (1, {"holes": 1})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--output", "nowhere.jsonl"), "--output nowhere.jsonl does not exist"),
        (("--output", "-"), "standard output cannot be read"),
        (("--sample", "2"), "--sample must be a share of the devices such as 1%, not 2"),
        (("--sample", "0%"), "--sample must be a share"),
        (("--follow",), "--follow needs an input from Kafka"),
        (("--metrics-port", "0"), "--metrics-port needs --follow"),
        (("--follow", "--metrics-port", "-1"), "--metrics-port must be a port"),
        (("--follow", "--every", "0"), "--every must be above 0"),
        (("--sample", "1%", "--devices", "a"), "--devices and --sample cannot be used together"),
        (("--input", "nowhere.jsonl", "--output", "events.jsonl"), "--input nowhere.jsonl does not exist"),
    ],
)
def test_a_wrong_argument_is_one_line(ended: Path, options: tuple[str, ...], says: str) -> None:
    finished: Finished = latecomer_here("verify", *options, cwd=ended)
    assert finished.returncode == 2
    assert says in one_line(finished.stderr)


def test_a_fault_in_topics_is_found_and_nothing_else(ended: Path, tmp_path: Path, topics: Any) -> None:
    for change, expected in TOPIC_FAULTS:
        predictions, rejections = ((ended / name).read_bytes().splitlines() for name in ("p.jsonl", "rejections.jsonl"))
        change(predictions, rejections)
        places = topics.made(2), topics.made()
        for place, lines in zip(places, (predictions, rejections), strict=True):
            topics.fill(place, [(str(json.loads(line).get("device_id")).encode(), line, 1) for line in lines])
        log = ("--input", "events.jsonl", "--rejections", places[1], *WINDOW)
        services = () if change is one_digit_changed else ("--without-services",)
        status, found = verified(ended, *log, *services, output=places[0])
        assert (change, faults(found)) == (change, expected)
        assert status == 1


def test_nothing_is_found_in_topics_of_a_run_that_was_killed_again_and_again(
    tmp_path: Path, topics: Any, features_address: str, inference_address: str
) -> None:
    (tmp_path / "events.jsonl").write_bytes(sample_log(devices=4, hours=4 + 2 * KILLS))
    output, rejections = topics.made(2), topics.made(2)
    services = ("--features", features_address, "--inference", inference_address)
    same = ("--input", "events.jsonl", "--rejections", rejections, *services, *WINDOW)
    run = ("run", "--quiet", "--output", output, *same, "--state", "state", "--epoch", "20ms")
    slow = ("--batch-windows", "1", "--in-flight", "1", "--source-records", "10")
    for _ in range(KILLS):
        before = written(topics, output)
        with started(*run, *slow, cwd=tmp_path) as process:
            while process.poll() is None and written(topics, output) < before + 5:
                pass
            process.kill()
            process.communicate()
            assert process.returncode == -signal.SIGKILL  # it was in the middle
    assert latecomer(*run, cwd=tmp_path).returncode == 0
    status, found = verified(tmp_path, *same, output=output)
    assert (status, set(faults(found))) == (0, {"repeats"})


def written(topics: Any, location: str) -> int:
    from confluent_kafka import IsolationLevel, KafkaException

    try:
        return sum(topics.readable_ends(location, IsolationLevel.READ_COMMITTED))
    except KafkaException:  # a new topic has no leader at once
        return 0


def test_a_live_topic_is_followed_until_an_interrupt(
    tmp_path: Path, topics: Any, features_address: str, inference_address: str
) -> None:
    from tests.dataflows.connectors.kafka.topics import records_of

    records = records_of(sample_log(devices=3, hours=3))
    log, output, rejections = topics.made(2), topics.made(), topics.made()
    topics.fill(log, records[:-20])
    services = ("--features", features_address, "--inference", inference_address)
    same = ("--input", log, "--output", output, "--rejections", rejections, *services, *WINDOW)
    assert latecomer("run", "--quiet", *same, "--bounded", "--state", "state", cwd=tmp_path).returncode == 0
    topics.fill(log, records[-20:])  # a run is behind, by less than the grace
    follow = ("verify", "--follow", "--every", "50ms", "--metrics-port", "0", "--grace", "3h", "--json")
    with started(*follow, *same, cwd=tmp_path) as process:
        [url] = [line.split()[1].decode() for line in _until(process, b"metrics: ")]
        told = _until(process, b"outputs: ")
        assert told[-1].endswith(b"holes 0, differences 0, strangers 0, disorder 0\n")
        served = urlopen(url).read().decode()
        assert 'latecomer_verify_findings{kind="holes"} 0.0' in served
        assert 'latecomer_verify_findings{kind="pending"} 0.0' not in served
        last = topics.records(output)[-1]
        other = last.value().replace(b'"events":', b'"events":1')
        topics.fill(output, [(last.key(), last.value(), 1), (last.key(), other, 1)])
        assert b"differences 1, strangers 0" in _until(process, b"differences 1")[-1]
        topics.fill(output, [(b"x", last.value().replace(b'"evaluation_id":"', b'"evaluation_id":"x'), 1)])
        assert b"differences 1, strangers 1" in _until(process, b"strangers 1")[-1]
        run = latecomer("run", "--quiet", *same, "--bounded", "--state", "state", cwd=tmp_path)
        assert run.returncode == 0  # it has caught up, so that nothing is pending but ticks
        while 'latecomer_verify_findings{kind="pending"} 0.0' not in urlopen(url).read().decode():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate()
        assert (process.returncode, b"Traceback" in errors) == (1, False)
    found = json.loads(out)
    assert faults(found) == {"repeats": 1, "differences": 1, "strangers": 1}
    assert json.loads(found["differences"]["first"]["is"]) == json.loads(other)


def _until(process: Any, text: bytes) -> list[bytes]:
    """The lines of standard error, up to the first that has the text."""
    found = []
    for line in process.stderr:
        found.append(line)
        if text in line:
            return [line]
    raise AssertionError(found)
