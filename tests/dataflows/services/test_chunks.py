"""Evaluations cut to the limits, and values that are put together again in their order."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflows.services.answers import Answer, Prediction, Refusal
from dataflows.services.chunks import Chunk, FeatureRows, Features, chunks_of
from dataflows.services.window_request import window_request
from grpc_services.python.batch_codec import MAX_EVENTS
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import FeatureBatch
from tests.dataflows.asking import EVALUATIONS
from window_core import DEMO_SENSORS, Columns, Evaluation

UNLIMITED = 1 << 30
SENSOR_NAMES_BYTES = 36
"""Each request has them beside its windows."""


def feature_rows(number: int) -> FeatureRows:
    values = array("f", (row + column / 2 for row in range(number) for column in range(2)))
    return FeatureRows(Chunk(EVALUATIONS[:number]), ("a/v1", "b/v1"), values.tobytes())


def sizes(windows_max: int, bytes_max: int) -> list[int]:
    return [len(chunk) for chunk in chunks_of(EVALUATIONS, windows_max, bytes_max)]


def test_nothing_gives_no_chunk() -> None:
    assert list(chunks_of([], 8, UNLIMITED)) == []


@pytest.mark.parametrize(("windows_max", "expected"), [(1, [1] * 24), (5, [5, 5, 5, 5, 4]), (24, [24]), (99, [24])])
def test_a_chunk_holds_no_more_windows_than_set(windows_max: int, expected: list[int]) -> None:
    assert sizes(windows_max, UNLIMITED) == expected


@given(st.integers(1, 30), st.integers(1, 4_000))
def test_no_request_is_larger_than_set_unless_it_is_one_window(windows_max: int, bytes_max: int) -> None:
    chunks = list(chunks_of(EVALUATIONS, windows_max, bytes_max))
    assert [one for chunk in chunks for one in chunk.evaluations] == EVALUATIONS
    for chunk in chunks:
        assert len(chunk) <= windows_max
        assert len(chunk) == 1 or len(window_request(chunk, DEMO_SENSORS)) <= bytes_max + SENSOR_NAMES_BYTES


def test_windows_that_share_events_are_cut_to_the_events_that_a_server_takes() -> None:
    rows = 40_000
    columns = Columns("d", 0, array("q", range(rows)), bytearray(16 * rows), 16)
    evaluations = [Evaluation("tick", None, 0, seq, columns, seq, rows - 200 + seq) for seq in range(200)]
    assert [len(chunk) for chunk in chunks_of(evaluations, 1_000, UNLIMITED)] == [105, 95]
    assert 105 * (rows - 200) <= MAX_EVENTS < 106 * (rows - 200)
    assert [len(chunk) for chunk in chunks_of(evaluations[:50], 1_000, 30 * rows)] == [50]  # sent once


@given(st.integers(1, 24), st.data())
def test_rows_are_cut_and_chosen_with_their_values(number: int, data: st.DataObject) -> None:
    whole = feature_rows(number)
    start = data.draw(st.integers(0, number))
    end = data.draw(st.integers(start, number))
    kept = data.draw(st.lists(st.integers(0, number - 1), unique=True).map(sorted))
    assert whole.part(start, end).lists() == whole.lists()[start:end]
    assert whole.part(start, end).chunk.evaluations == whole.chunk.evaluations[start:end]
    assert whole.chosen(kept).lists() == [whole.lists()[row] for row in kept]
    assert whole.chosen(kept).chunk.evaluations == [whole.chunk.evaluations[row] for row in kept]


def test_rows_without_features_are_rows() -> None:
    assert FeatureRows(Chunk(EVALUATIONS[:3]), (), b"").lists() == [[], [], []]


def test_rows_go_on_the_wire_as_they_came_or_else_whole() -> None:
    whole = feature_rows(3)
    batch = FeatureBatch.FromString(whole.serialised())
    assert (batch.rows, list(batch.name), batch.values) == (3, ["a/v1", "b/v1"], whole.values)
    passed_on = FeatureRows(whole.chunk, whole.names, whole.values, b"as it came")
    assert passed_on.serialised() == b"as it came"
    assert passed_on.part(0, 2).serialised() == whole.part(0, 2).serialised()
    assert passed_on.chosen([0, 2]).serialised() == whole.chosen([0, 2]).serialised()


@given(st.integers(1, 24), st.data())
def test_refusals_and_answers_are_put_together_in_the_order_of_the_chunk(number: int, data: st.DataObject) -> None:
    bad = data.draw(st.sets(st.integers(0, number - 1)))
    refusals = {row: Refusal("INTERNAL", "features", str(row)) for row in bad}
    kept = [row for row in range(number) if row not in bad]
    features = Features(feature_rows(number).chosen(kept), refusals)
    predictions: list[Answer] = [Prediction({}, str(row), {}) for row in kept]
    completed = features.completed(predictions)
    texts = [answer.message if isinstance(answer, Refusal) else answer.model_id for answer in completed]
    assert texts == [str(row) for row in range(number)]
    assert [row for row, answer in enumerate(completed) if isinstance(answer, Refusal)] == sorted(bad)


def test_a_chunk_that_is_refused_has_no_features() -> None:
    refusal = Refusal("INTERNAL", "features", "all of it")
    features = Features.refused(Chunk(EVALUATIONS[:2]), refusal)
    assert len(features.rows) == 0
    assert features.completed([]) == [refusal, refusal]
