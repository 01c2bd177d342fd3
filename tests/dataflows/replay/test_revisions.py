"""What is in doubt, why, and what it is now: as found by going through all later events of every evaluation."""

import json
import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflows.pipeline.record import LoggedEvent
from dataflows.replay import Replay
from dataflows.replay.moves import Moves, distance
from dataflows.replay.revisions import doubts, revised
from dataflows.services.answers import Prediction, Refusal
from dataflows.services.client import ServiceClient, Services
from tests.dataflows.logs import DrawnLog, drawn_logs
from tests.oracle import plain
from tests.plain_model import Refused, plain_model
from window_core import DEMO_SENSORS, Evaluation, WindowSpec

SMALL = str(Path(__file__).with_name("small.jsonl"))
EXAMPLES = 1_000 if os.environ.get("LATECOMER_HYPOTHESIS") == "thorough" else 60
LOGS = drawn_logs(goes_back=True).filter(lambda log: not log.data.startswith(b"\xff\xfe"))  # that would be UTF-16

Row = tuple[int | float, ...]


@pytest.fixture(scope="module")
def services(features_address: str, inference_address: str) -> Services:
    return Services(features_address, inference_address)


@pytest.fixture(scope="module")
def client(services: Services):
    with Replay.of(SMALL, **services._asdict()).asking() as client:
        yield client


def replay_of(log: DrawnLog, tmp_path_factory: pytest.TempPathFactory) -> Replay:
    path = tmp_path_factory.getbasetemp() / "revised.jsonl"
    path.write_bytes(log.data)
    return Replay.of(str(path), until_ms=log.until_ms, **asdict(log.spec))


def naive(replay: Replay, *, too_late: bool) -> dict[str, tuple[str | None, list[str], list[Row]]]:
    """By evaluation, if it missed something: its position, what it missed, and its window with that."""
    happened: dict[str, list[tuple[Any, str | None, Row | None]]] = {}
    for read, outputs in replay.steps(0):
        for output, position in outputs:
            device_id = output.device_id if isinstance(output, Evaluation) else output.event.device_id
            row = None
            if position is not None and (isinstance(output, Evaluation) or (too_late and output.reason == "TOO_LATE")):
                assert isinstance(read, LoggedEvent)
                row = (read.event.time_ms, *DEMO_SENSORS.readings(read.event.row))
            happened.setdefault(device_id, []).append((plain(output), position, row))
    found = {}
    for of_device in happened.values():
        for place, (evaluation, position, _) in enumerate(of_device):
            if not hasattr(evaluation, "window"):
                continue
            window = list(evaluation.window)
            newest_ms = window[-1][0]
            because = []
            for _, later, row in of_device[place + 1 :]:
                belongs = row is not None and newest_ms - replay.spec.interval_ms <= row[0] <= newest_ms
                if belongs and repr(row) not in map(repr, window):  # 0.0 equals -0.0, their texts do not
                    window.append(row)
                    because.append(later)
            if because:
                found[evaluation.evaluation_id] = position, because, sorted(window, key=lambda row: row[0])
    return found


def window_of(evaluation: Evaluation) -> list[Row]:
    times, rows = evaluation.window()
    size = len(rows) // len(times)
    return [(time, *DEMO_SENSORS.readings(bytes(rows[size * row :][:size]))) for row, time in enumerate(times)]


def evaluations_of(replay: Replay) -> int:
    return sum(isinstance(output, Evaluation) for _, outputs in replay.steps(0) for output, _ in outputs)


@given(log=LOGS, too_late=st.booleans())
@settings(max_examples=EXAMPLES)
def test_doubts_are_those_that_going_through_all_later_events_finds(
    log: DrawnLog, too_late: bool, tmp_path_factory: pytest.TempPathFactory
):
    replay = replay_of(log, tmp_path_factory)
    counts: Counter[str] = Counter()
    found = list(doubts(replay, counts, too_late=too_late))
    actual = {one.was.evaluation_id: (one.position, one.because, window_of(one.now)) for one in found}
    expected = naive(replay, too_late=too_late)
    assert {key: repr(value) for key, value in actual.items()} == {key: repr(value) for key, value in expected.items()}
    assert counts["evaluations"] == evaluations_of(replay)


@given(log=LOGS)
@settings(max_examples=25)
def test_the_answers_are_those_of_plain_arithmetic_for_both_windows(
    log: DrawnLog, client: ServiceClient, tmp_path_factory: pytest.TempPathFactory
):
    model = plain_model(DEMO_SENSORS)
    for revision in revised(client, list(doubts(replay_of(log, tmp_path_factory), Counter()))):
        for answer, window in ((revision.was, revision.doubt.was), (revision.now, revision.doubt.now)):
            expected = model.answer(window)
            assert not isinstance(expected, Refused)
            assert answer == Prediction(dict(expected.features), expected.model_id, dict(expected.result))


def test_events_of_a_forgotten_session_belong_to_no_window_of_the_next_one(
    tmp_path_factory: pytest.TempPathFactory,
):
    event = b'{"device_id":"d","time":%d,"sensor1":%d,"sensor2":0,"sensor3":0,"sensor4":0,"arrival":%d}\n'
    lines = [event % (100, 1, 100), event % (95, 2, 200), event % (94, 3, 201), event % (95, 2, 202)]
    log = DrawnLog(b"".join(lines), WindowSpec(10, 0, 20, 20), None, frozenset("d"), DEMO_SENSORS)
    replay = replay_of(log, tmp_path_factory)
    found = {one.was.evaluation_id: (one.because, one.now) for one in doubts(replay, Counter())}
    assert {key: because for key, (because, _) in found.items()} == {"d/100/0": ["0/1", "0/2"], "d/200/0": ["0/2"]}
    assert [row[:2] for row in window_of(found["d/100/0"][1])] == [(94, 3.0), (95, 2.0), (100, 1.0)]
    assert [row[:2] for row in window_of(found["d/200/0"][1])] == [(94, 3.0), (95, 2.0)]


def test_a_revision_is_a_line_with_what_it_was_what_it_is_and_why(client: ServiceClient):
    [doubt] = doubts(Replay.of(SMALL), Counter())
    [revision] = revised(client, [doubt])
    line = json.loads(revision.encoded(Moves().take(revision.was, revision.now)))
    assert line["evaluation_id"] == "pump-7/1587920400000/1"
    assert (line["position"], line["because"], line["events"]) == ("0/1", ["0/2"], 2)
    assert line["was"]["features"]["sensor_1/v1"] == 1.5
    assert line["now"]["features"]["sensor_1/v1"] == 2.0
    was, now = (float(line[side]["result"]["logistic_regression_result"]) for side in ("was", "now"))
    assert line["moved"] == now - was > 0


def test_results_that_are_no_numbers_have_no_distance():
    assert distance({"class": "a"}, {"class": "b"}) is None
    assert distance({"class": "a", "score": "1"}, {"class": "a", "score": "0.5"}) == 0.5
    assert distance({"score": "1"}, {"other": "1"}) is None


def test_moves_are_counted_above_each_bound():
    moves = Moves()
    refusal = Refusal("INTERNAL", "features", "no")
    answers = [Prediction({}, "m", {"score": str(score)}) for score in (0, 0, 0.005, 0.2)]
    assert [moves.take(answers[0], answer) for answer in (*answers, refusal)] == [0.0, 0.0, 0.005, 0.2, None]
    assert moves.take(refusal, refusal) == 0.0
    assert list(moves.above()) == [(0.0, 2), (0.0001, 2), (0.001, 2), (0.01, 1), (0.1, 1)]
    assert (moves.pairs, moves.incomparable, moves.furthest) == (6, 1, 0.2)
