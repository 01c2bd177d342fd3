"""What is said of each device, from outputs that are written by hand."""

import json
from typing import Any

import polars as pl

from dataflows.browser.fleet import DRIFT_LIMIT, Outputs, devices_of, drift_of, values_of
from dataflows.replay.tables import predictions_table, rejections_table


def prediction(device: str, seq: int, at: int, cause: str = "event", **more: Any) -> bytes:
    fields = {
        "evaluation_id": f"{device}/0/{seq}",
        "device_id": device,
        "cause": cause,
        "position": None if cause == "tick" else f"0/{seq}",
        "event_ms": None if cause == "tick" else at,
        "as_of_ms": at,
        "newest_ms": at,
        "oldest_ms": at,
        "events": 1,
        "features": {"mean/v1": 1.0},
        "model_id": "m/v1",
        "result": {"p": "0.5"},
    }
    return json.dumps(fields | more).encode()


def rejection(device: str | None, line: int, at: int | None, reason: str, **more: Any) -> bytes:
    fields = {"device_id": device, "reason": reason, "position": f"0/{line}", "arrival_ms": at}
    return json.dumps(fields | more).encode()


def outputs_of(predictions: list[bytes], rejections: list[bytes] = ()) -> Outputs:
    return Outputs.of(predictions_table(predictions), rejections_table(rejections))


def row_of(table: pl.DataFrame, device: str) -> dict[str, Any]:
    return table.row(by_predicate=pl.col("device") == device, named=True)


def test_records_are_accepted_and_rejected_events_and_no_tick() -> None:
    outputs = outputs_of(
        [prediction("a", 0, 10), prediction("a", 1, 20, "late_event"), prediction("a", 2, 30, "tick")],
        [
            rejection("a", 5, 40, "TOO_LATE", late_by_ms=1, event={"time": 1}),
            rejection("a", 6, None, "REFUSED", evaluation_id="a/0/3", as_of_ms=50, event_ms=50, status="NOT_FOUND"),
            rejection(None, 7, 60, "INVALID", error="key", field=None),
        ],
    )
    row = row_of(devices_of(outputs), "a")
    assert {name: row[name] for name in ("records", "event", "late_event", "tick", "TOO_LATE", "REFUSED")} == {
        "records": 4,
        "event": 1,
        "late_event": 1,
        "tick": 1,
        "TOO_LATE": 1,
        "REFUSED": 1,
    }
    assert (row["share"], row["late_share"]) == (2 / 4, 2 / 4)
    assert len(devices_of(outputs)) == 1


def test_what_was_delivered_again_is_counted_once() -> None:
    twice = [prediction("a", 0, 10)] * 2, [rejection("a", 1, 20, "DUPLICATE", event={"time": 1})] * 2
    row = row_of(devices_of(outputs_of(*twice)), "a")
    assert (row["event"], row["DUPLICATE"], row["records"]) == (1, 1, 2)


def test_the_worst_device_comes_first() -> None:
    predictions = [prediction(device, seq, seq) for device in "abc" for seq in range(4)]
    predictions += [prediction("b", 4, 5, "late_event"), prediction("c", 4, 5, "late_event")]
    found = devices_of(outputs_of(predictions, [rejection("c", 9, 6, "DUPLICATE", event={"time": 1})]))
    assert found["device"].to_list() == ["c", "b", "a"]


def test_a_device_is_silent_after_twice_its_longest_pause_and_not_before() -> None:
    events = [prediction("a", 0, 0), prediction("a", 1, 100)]
    for end, silent in ((300, False), (301, True)):
        found = devices_of(outputs_of([*events, prediction("b", 0, end, "tick")]))
        assert (row_of(found, "a")["silent_ms"], row_of(found, "a")["is_silent"]) == (end - 100, silent)


def test_a_device_of_one_event_is_measured_by_the_pauses_of_the_fleet() -> None:
    others = [prediction(device, seq, 100 * seq) for device in "bcd" for seq in range(10)]
    assert row_of(devices_of(outputs_of([prediction("a", 0, 0), *others])), "a")["is_silent"]
    assert not row_of(devices_of(outputs_of([prediction("a", 0, 0)])), "a")["is_silent"]


def test_the_time_of_a_run_is_not_stretched_by_an_arrival_that_is_none() -> None:
    odd = [rejection(None, line, at, "INVALID", error="time") for line, at in enumerate((-1, None, 2**62, 15))]
    found = outputs_of([prediction("a", 0, 10), prediction("a", 1, 20)], odd)
    assert (found.start_ms, found.end_ms) == (10, 20)
    assert found.rejections["at"].to_list() == [None, None, None, 15]


def moving(moves: dict[str, float]) -> pl.DataFrame:
    """A value of each device that goes from 0 to its move, in the middle of its evaluations."""
    lines = [
        prediction(device, seq, seq, features={"mean/v1": move if seq >= 4 else 0.0})
        for device, move in moves.items()
        for seq in range(8)
    ]
    return predictions_table(lines).with_columns(pl.col("as_of").alias("at"))


def test_a_device_that_moves_unlike_its_fleet_drifts() -> None:
    found = drift_of(moving({"a": 1.0, "b": 1.1, "c": 0.9, "d": 1.2, "e": 9.0}))
    assert found.row(0, named=True) | {"score": 0} == {
        "device": "e",
        "value": "mean/v1",
        "first": 0.0,
        "last": 9.0,
        "score": 0,
    }
    # By hand: the median of the moves is 1.1, that of the distances from it 0.1.
    assert abs(found["score"][0] - (9.0 - 1.1) / (1.4826 * 0.1)) < 1e-3
    assert (found["score"].abs() > DRIFT_LIMIT).to_list() == [True, False, False, False, False]


def test_nothing_is_said_of_drift_in_a_small_fleet_or_one_that_stands_still() -> None:
    assert drift_of(moving({"a": 1.0, "b": 2.0, "c": 3.0, "d": 9.0})).is_empty()
    assert drift_of(moving(dict.fromkeys("abcdef", 1.0))).is_empty()
    assert drift_of(predictions_table([])).is_empty()


def test_results_come_before_features_and_texts_are_no_values() -> None:
    table = predictions_table([prediction("a", 0, 1, result={"p": "0.5", "kind": "pump"})])
    assert values_of(table) == ["p", "mean/v1"]
