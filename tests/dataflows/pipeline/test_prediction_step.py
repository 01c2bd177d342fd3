"""Outputs of windows become records in their order, each with its own answer, and are counted."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from dataflows.pipeline.device import LocatedOutput
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.prediction_step import PredictionStep
from dataflows.pipeline.record import OutputRecord
from dataflows.services.answers import Answer, Prediction, Refusal
from tests.events import demo_event
from window_core import DEMO_SENSORS, DeviceWindow, Evaluation, WindowSpec

REFUSED = "refused"


class Services:
    """Answers each evaluation with its own id, and refuses those of a device of that name."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def answers(self, evaluations: Sequence[Evaluation]) -> list[Answer]:
        self.asked.append([one.evaluation_id for one in evaluations])
        return [
            Refusal("INTERNAL", "features", one.evaluation_id)
            if one.device_id == REFUSED
            else Prediction({"mean": 1.5}, "m/v1", {"id": one.evaluation_id})
            for one in evaluations
        ]


def outputs_of(device_id: str, *times_ms: int, until_ms: int = 0) -> list[LocatedOutput]:
    """What comes of events that arrive at their time, each with its place, and then of the clock."""
    window = DeviceWindow(WindowSpec(tick_ms=1_000), device_id)
    located: list[LocatedOutput] = []
    for number, time_ms in enumerate(times_ms):
        *ticks, output = window.on_event(demo_event(device_id, time_ms, 1.0, 2.0, 3.0, 4.0), max(times_ms))
        located += [*((tick, None) for tick in ticks), (output, f"0/{number}")]
    return [*located, *((tick, None) for tick in window.on_clock(until_ms))]


class Step:
    def __init__(self) -> None:
        self.services, self.metrics = Services(), Metrics()
        self._step = PredictionStep(self.services, DEMO_SENSORS, self.metrics)  # type: ignore[arg-type]

    def records(self, *located: LocatedOutput) -> list[OutputRecord]:
        return self._step.records(located)


@pytest.fixture
def step() -> Step:
    return Step()


def told(record: OutputRecord) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(record.value)
    return fields


def test_each_output_has_its_own_answer_in_the_order_of_the_outputs(step: Step) -> None:
    a, b, c = (outputs_of(name, 5, 5, 6) for name in ("a", REFUSED, "c"))  # the second one is a duplicate
    located = [output for outputs in zip(a, b, c, strict=True) for output in outputs]
    records = step.records(*located)
    assert [record.kind for record in records] == (
        ["predictions", "rejections", "predictions"] + ["rejections"] * 3 + ["predictions", "rejections", "predictions"]
    )
    assert [record.key for record in records] == ["a", REFUSED, "c"] * 3
    assert [told(record)["position"] for record in records] == ["0/0"] * 3 + ["0/1"] * 3 + ["0/2"] * 3
    for (output, _), record in zip(located, records, strict=True):
        if isinstance(output, Evaluation):
            fields = told(record)
            answer = fields["result"]["id"] if record.kind == "predictions" else fields["message"]
            assert fields["evaluation_id"] == answer == output.evaluation_id


def test_a_batch_is_one_question_of_its_evaluations_alone(step: Step) -> None:
    step.records(*outputs_of("a", 5, 5, 6), *outputs_of("b", 7))
    assert step.services.asked == [["a/6/0", "a/6/1", "b/7/0"]]


def test_a_prediction_holds_what_the_services_said(step: Step) -> None:
    [record] = step.records(*outputs_of("a", 5))
    fields = told(record)
    assert (fields["features"], fields["model_id"]) == ({"mean": 1.5}, "m/v1")
    assert (fields["cause"], fields["events"], fields["event_ms"]) == ("event", 1, 5)


def test_a_refusal_holds_the_status_the_service_and_its_words(step: Step) -> None:
    [record] = step.records(*outputs_of(REFUSED, 5))
    fields = told(record)
    assert (fields["reason"], fields["status"], fields["service"]) == ("REFUSED", "INTERNAL", "features")
    assert fields["message"] == f"{REFUSED}/5/0"


def test_a_tick_has_no_position(step: Step) -> None:
    _, tick = step.records(*outputs_of("a", 5, until_ms=1_004))
    assert (told(tick)["cause"], told(tick)["position"]) == ("tick", None)


def test_a_rejection_keeps_its_reason_and_its_place(step: Step) -> None:
    _, rejection = step.records(*outputs_of("a", 5, 5))
    assert rejection.kind == "rejections"
    assert (told(rejection)["reason"], told(rejection)["position"]) == ("DUPLICATE", "0/1")


def test_outputs_are_counted_by_cause_and_by_reason(step: Step) -> None:
    step.records(*outputs_of("a", 5, 7, 6, 6, until_ms=1_006), *outputs_of(REFUSED, 5, 6))
    step.records(*outputs_of("b", 5, 5))
    assert step.metrics.by_cause() == {"event": 5, "late_event": 1, "tick": 1}
    counts = step.metrics.by_reason()
    assert {reason: number for reason, number in counts.items() if number} == {"DUPLICATE": 2, "REFUSED": 2}


def test_nothing_becomes_nothing(step: Step) -> None:
    assert step.records() == []
