"""``latecomer produce``: the same seed, the same bytes, and everything in them that goes wrong in a fleet."""

import json
from pathlib import Path

import pytest

from dataflows.command_line.produce import living_now
from dataflows.simulated_fleet import SimulatedFleet
from tests.dataflows.commands import latecomer, latecomer_here, one_line, sample_log
from tests.reference import reference
from window_core import WindowSpec

SMALL = ("--devices", "3", "--duration", "2h", "--output", "-")


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(tmp_path: Path) -> None:
    first, again, other = (latecomer("produce", *SMALL, "--seed", seed, cwd=tmp_path) for seed in (7, 7, 8))
    assert first.returncode == 0
    assert first.stdout == again.stdout != other.stdout
    assert first.stdout.count(b"\n") >= 180
    assert one_line(first.stderr).endswith("events in standard output")


def test_a_file_is_written_with_the_folders_on_its_way(tmp_path: Path) -> None:
    finished = latecomer_here("produce", *SMALL[:4], "--output", "a/b/events.jsonl", cwd=tmp_path)
    assert (finished.returncode, finished.stdout) == (0, b"")
    assert one_line(finished.stderr).endswith("events in a/b/events.jsonl")
    assert (tmp_path / "a/b/events.jsonl").read_bytes().endswith(b"}\n")


def test_a_number_of_events_ends_it(tmp_path: Path) -> None:
    some, all_of_them = (latecomer("produce", *SMALL, *more, cwd=tmp_path) for more in ((), ("--events", "17")))
    assert all_of_them.stdout.splitlines() == some.stdout.splitlines()[:17]


@pytest.mark.parametrize(("speed", "start_ms"), [(1.0, 1_000_000), (60.0, 941_000)])
def test_a_fleet_that_lives_now_is_never_ahead_of_the_clock_and_ends_with_it(speed: float, start_ms: int) -> None:
    fleet = living_now(SimulatedFleet(duration_ms=60_000), speed, now_ms=1_000_000)
    assert fleet.start_ms == start_ms
    assert (1_000_000 + fleet.duration_ms / speed) == fleet.start_ms + fleet.duration_ms


def test_a_fleet_has_each_kind_of_event() -> None:
    data = sample_log(devices=10, hours=24)
    outputs = reference(data, WindowSpec(interval_ms=3_600_000))
    predictions = [json.loads(line) for device in outputs.values() for line in device.predictions]
    rejections = [json.loads(line) for device in outputs.values() for line in device.rejected]
    assert {prediction["cause"] for prediction in predictions} == {"event", "late_event", "tick"}
    assert {rejection["reason"] for rejection in rejections} == {"AHEAD_OF_CLOCK", "TOO_LATE", "DUPLICATE"}


def test_arrivals_never_go_back() -> None:
    arrivals = [arrival_ms for _, arrival_ms in SimulatedFleet(devices=20).logged_events()]
    assert arrivals == sorted(arrivals)


@pytest.mark.parametrize("share", ["late", "too-late", "duplicates", "wrong-clock"])
def test_a_share_of_nothing_leaves_its_kind_out(tmp_path: Path, share: str) -> None:
    shares = dict.fromkeys(("late", "too-late", "duplicates", "wrong-clock"), 0.0) | {share: 1.0}
    flags = [part for name, value in shares.items() for part in (f"--{name}", value)]
    data = latecomer("produce", "--interval", "1h", *SMALL, *flags, cwd=tmp_path).stdout
    outputs = reference(data, WindowSpec(interval_ms=3_600_000, tick_ms=0))
    reasons = {json.loads(line)["reason"] for device in outputs.values() for line in device.rejected}
    allowed = {
        "late": {"TOO_LATE"},
        "too-late": {"TOO_LATE"},
        "duplicates": {"DUPLICATE"},
        "wrong-clock": {"AHEAD_OF_CLOCK"},
    }
    assert reasons <= allowed[share]


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("--devices", "0"), 2, "--devices must be above 0"),
        (("--every", "0"), 2, "--every must be above 0"),
        (("--late", "0.6", "--duplicates", "0.6"), 2, "together up to 1"),
        (("--late", "2"), 2, "--late"),
        (("--duplicates", "nan"), 2, "--duplicates"),
        (("--start", "-1"), 2, "--start must not be negative"),
        (("--start", "253402300799999"), 2, "--start"),
        (("--output", "."), 2, "is a folder, not a file"),
        (("--output", "/dev/full"), 1, "No space left on device"),
        (("--duration", "a day"), 2, "is not a duration"),
        (("--events", "0"), 2, "--events must be above 0"),
        (("--live",), 2, "--live is for Kafka"),
        (("--speed", "60"), 2, "--speed needs --live"),
        (("--live", "--speed", "0.5", "--output", "kafka://nowhere:1/x"), 2, "--speed must be 1 or more"),
        (("--live", "--speed", "nan", "--output", "kafka://nowhere:1/x"), 2, "--speed must be 1 or more"),
        (("--live", "--rate", "5", "--output", "kafka://nowhere:1/x"), 2, "--live and --rate cannot be used together"),
        (
            ("--live", "--start", "5", "--output", "kafka://nowhere:1/x"),
            2,
            "--live and --start cannot be used together",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, arguments: tuple[str, ...], status: int, says: str) -> None:
    finished = latecomer_here("produce", "--devices", "2", "--duration", "1h", *arguments, cwd=tmp_path)
    assert finished.returncode == status
    assert says in one_line(finished.stderr)
