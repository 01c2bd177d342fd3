"""The fleet of the live page: what it says is what the outputs say, however often they come."""

from dataflows.browser import live_fleet
from dataflows.browser.fleet import Outputs, devices_of
from dataflows.browser.live_fleet import LiveFleet
from dataflows.replay.tables import predictions_table, rejections_table
from tests.dataflows.browser.test_fleet import prediction, rejection

PREDICTIONS = [
    prediction("a", 0, 10),
    prediction("a", 1, 20, "late_event", result={"p": "0.25"}),
    prediction("a", 2, 30, "tick", result={"p": "0.75"}),
    prediction("b", 0, 15),
]
REJECTIONS = [
    rejection("b", 5, 40, "TOO_LATE", late_by_ms=1, event={"time": 1}),
    rejection("b", 6, 50, "DUPLICATE", event={"time": 2}),
    rejection(None, 7, None, "INVALID", error="key", field=None),
]


def fleet_of(predictions: list[bytes], rejections: list[bytes]) -> LiveFleet:
    fleet = LiveFleet()
    for line in predictions:
        fleet.take("predictions", line)
    for line in rejections:
        fleet.take("rejections", line)
    return fleet


def test_it_counts_as_the_report_does() -> None:
    seen = fleet_of([*PREDICTIONS, PREDICTIONS[0]], REJECTIONS).seen()
    table = devices_of(Outputs.of(predictions_table(PREDICTIONS), rejections_table(REJECTIONS)))
    assert [(one["device"], one["share"], one["late"]) for one in seen["devices"]] == list(
        table.select("device", "share", "late_event").iter_rows()
    )
    assert seen["counts"] == {
        "event": 2, "late_event": 1, "tick": 1, "INVALID": 1, "TOO_LATE": 1, "DUPLICATE": 1
    }  # fmt: skip
    assert [one["reason"] for one in seen["rejections"]] == ["INVALID", "DUPLICATE", "TOO_LATE"]


def test_a_device_shows_its_last_event_and_its_last_result() -> None:
    [a] = [one for one in fleet_of(PREDICTIONS, []).seen()["devices"] if one["device"] == "a"]
    assert (a["last_ms"], a["result"]) == (20, {"p": "0.75"})


def test_the_version_changes_with_each_output_and_when_all_is_forgotten() -> None:
    fleet = LiveFleet()
    versions = [fleet.seen()["version"]]
    fleet.take("predictions", PREDICTIONS[0])
    versions.append(fleet.seen()["version"])
    fleet.forget()
    versions.append(fleet.seen()["version"])
    assert len(set(versions)) == 3
    assert fleet.seen()["devices"] == []


def test_lines_that_are_no_outputs_are_passed_over() -> None:
    assert fleet_of([b"", b"no line", b"[]", b"{}", b"1"], [b"{"]).seen()["devices"] == []


def test_the_oldest_predictions_are_let_go(monkeypatch) -> None:
    monkeypatch.setattr(live_fleet, "_PREDICTIONS_KEPT", 2)
    fleet = fleet_of(PREDICTIONS, [])
    kept = [fleet.prediction(line[19:20].decode(), f"{line[19:20].decode()}/0/{seq}") for line, seq in
            zip(PREDICTIONS, (0, 1, 2, 0), strict=True)]  # fmt: skip
    assert kept == [None, None, PREDICTIONS[2], PREDICTIONS[3]]
    assert fleet.prediction("nobody", "nobody/0/0") is None
