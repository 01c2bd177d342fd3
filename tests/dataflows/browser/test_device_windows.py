"""A device's windows are those on which a run has computed its predictions."""

import json
from pathlib import Path

import pytest

from dataflows.browser import device_windows
from dataflows.browser.device_windows import DeviceWindows
from dataflows.settings import RunSettings
from runtime.errors import SettingsError


@pytest.fixture
def windows(folder: Path) -> DeviceWindows:
    settings = RunSettings.of_replay(
        input=str(folder.parent / "events.jsonl"), predictions=str(folder / "predictions.jsonl"), interval_ms=3_600_000
    )
    return DeviceWindows(settings, print)


def predictions_of(folder: Path, device: str) -> list[dict]:
    lines = map(json.loads, (folder / "predictions.jsonl").read_bytes().splitlines())
    return [line for line in lines if line["device_id"] == device]


def test_each_prediction_has_its_window(windows: DeviceWindows, folder: Path) -> None:
    predictions = predictions_of(folder, "device-0002")
    assert [one["id"] for one in windows.evaluations("device-0002")] == [one["evaluation_id"] for one in predictions]
    before = None
    for prediction in predictions:
        window = windows.window("device-0002", prediction["evaluation_id"])
        assert window is not None
        for name in ("cause", "position", "as_of_ms", "event_ms", "newest_ms", "oldest_ms", "events"):
            assert window[name] == prediction[name], name
        assert len(window["shown"]) == window["events"]
        assert window["lowest_ms"] == window["newest_ms"] - 3_600_000 <= window["shown"][0][0]
        assert window["events_before"] == before
        before = window["events"]
        for sensor in range(4):
            mean = sum(row[2 + sensor] for row in window["shown"]) / window["events"]
            assert prediction["features"][f"sensor_{sensor + 1}/v1"] == pytest.approx(mean, rel=1e-5, abs=1e-6)
        caused = [row[0] for row in window["shown"] if row[1] == "cause"]
        assert caused == ([] if window["cause"] == "tick" else [window["event_ms"]])


def test_late_events_are_marked_from_their_arrival_on(windows: DeviceWindows, folder: Path) -> None:
    late: set[int] = set()
    for prediction in predictions_of(folder, "device-0001"):
        window = windows.window("device-0001", prediction["evaluation_id"])
        assert window is not None
        marked = {row[0] for row in window["shown"] if row[1] == "late"}
        assert marked == {row[0] for row in window["shown"]} & late - {window["event_ms"]}
        if prediction["cause"] == "late_event":
            late.add(prediction["event_ms"])
    assert late


def test_of_a_long_window_some_events_are_shown(windows: DeviceWindows, folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(device_windows, "_EVENTS_SHOWN", 10)
    last = predictions_of(folder, "device-0001")[-1]
    window = windows.window("device-0001", last["evaluation_id"])
    assert window is not None
    usual = [row for row in window["shown"] if row[1] == "event"]
    assert 1 < len(usual) <= 10 < window["events"]


def test_an_evaluation_is_explained_in_lines(windows: DeviceWindows, folder: Path) -> None:
    last = predictions_of(folder, "device-0001")[-1]
    lines = windows.explanation(last["evaluation_id"])
    assert lines[0][0] == "evaluation"
    assert last["evaluation_id"] in lines[0][1]
    assert {"window", "sensor1"} <= {name for name, _ in lines}


def test_what_the_log_does_not_have_is_nothing(windows: DeviceWindows) -> None:
    assert windows.evaluations("nobody") == []
    assert windows.window("nobody", "nobody/0/0") is None


def test_a_log_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        DeviceWindows(RunSettings.of_replay(input=str(tmp_path / "none.jsonl")), print)
