"""Two settings on one log: pairs as a join of all outputs finds them, and what is counted of them."""

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflows.replay import Replay
from dataflows.replay.comparison import Comparison, Pair, compared, pairs
from dataflows.replay.comparison_text import comparison_json, comparison_lines, lab_json, lab_lines, runs_lines
from dataflows.replay.lateness_lab import lateness_lab
from dataflows.replay.run_comparison import compared_runs
from dataflows.replay.tables import predictions_table
from dataflows.services.client import Services
from grpc_services.python.server import start
from grpc_services.python.settings import ServerSettings
from runtime.errors import SettingsError
from tests.dataflows.logs import DrawnLog, drawn_logs, specs
from tests.dataflows.replay.plain_windows import records_by_device
from tests.oracle import expected_outputs, plain
from window_core import Evaluation, WindowSpec

SMALL = str(Path(__file__).with_name("small.jsonl"))
LOGS = drawn_logs(goes_back=True).filter(lambda log: not log.data.startswith(b"\xff\xfe"))  # that would be UTF-16


@pytest.fixture(scope="module")
def services(features_address: str, inference_address: str) -> Services:
    return Services(features_address, inference_address)


def replay_of(log: DrawnLog, spec: WindowSpec, tmp_path_factory: pytest.TempPathFactory) -> Replay:
    path = tmp_path_factory.getbasetemp() / "compared.jsonl"
    path.write_bytes(log.data)
    return Replay.of(str(path), until_ms=log.until_ms, **asdict(spec))


def placed(replay: Replay) -> dict[tuple[str, Any], str]:
    """Every output of windows, by its position, or by the device and the instant of a tick."""
    found: dict[tuple[str, Any], str] = {}
    for output in replay.outputs():
        if isinstance(output, tuple):
            one, position = output
            device_id = one.device_id if isinstance(one, Evaluation) else one.event.device_id
            place = position if position is not None else one.as_of_ms
            assert (device_id, place) not in found
            found[device_id, place] = repr(plain(one))
    return found


@given(log=LOGS, other=specs())
@settings(max_examples=40)
def test_pairs_are_a_join_by_position_and_by_instant(
    log: DrawnLog, other: WindowSpec, tmp_path_factory: pytest.TempPathFactory
):
    replays = [replay_of(log, spec, tmp_path_factory) for spec in (log.spec, other)]
    actual = {}
    for pair in pairs(*replays):
        place = pair.position if pair.position is not None else pair.as_of_ms
        assert (pair.device_id, place) not in actual
        sides = tuple(None if one is None else repr(plain(one)) for one in (pair.first, pair.second))
        actual[pair.device_id, place] = sides
    first, second = map(placed, replays)
    assert actual == {key: (first.get(key), second.get(key)) for key in {*first, *second}}


@given(log=LOGS, others=st.lists(specs(), min_size=1, max_size=3))
@settings(max_examples=30)
def test_the_lab_counts_what_the_oracle_gives_with_each_spec(
    log: DrawnLog, others: list[WindowSpec], tmp_path_factory: pytest.TempPathFactory
):
    replay = replay_of(log, log.spec, tmp_path_factory)
    rows = lateness_lab(replay, [log.spec, *others])
    records = records_by_device(replay)
    for row, spec in zip(rows, [log.spec, *others], strict=True):
        counted: Counter[str] = Counter()
        for of_device in records.values():
            end_ms = replay.end_ms[0]
            assert end_ms is not None
            given = [(one.event, one.arrival_ms) for one in of_device]
            for output in expected_outputs(spec, given, end_ms):
                counted[output.cause if hasattr(output, "cause") else output.reason] += 1
        rejections = row.rejections - Counter({"INVALID": row.rejections["INVALID"]})
        assert dict(row.evaluations + rejections) == dict(counted)
        assert row.calls == 2 * -(-sum(row.evaluations.values()) // 1_024)


def test_the_lab_adds_up_the_states_that_are_left_at_the_end():
    [kept, gone] = lateness_lab(
        Replay.of(SMALL),
        [WindowSpec(), replace(WindowSpec(), interval_ms=1, idle_after_ms=0, forget_after_ms=10_000_000)],
    )
    assert (kept.devices, kept.state_bytes) == (1, 49 + 6 + 3 * 24)
    assert (gone.devices, gone.state_bytes) == (1, 49 + 6 + 24)
    assert (kept.accepted, gone.accepted, gone.rejections["TOO_LATE"]) == (3, 2, 1)
    lines = lab_lines([kept, gone])
    assert lines[0].split()[:5] == ["interval", "idle-after", "forget-after", "accepted", "late"]
    assert lines[1].split()[:5] == ["10h", "10h", "7d", "3", "1"]
    assert [one["accepted"] for one in lab_json([kept, gone])["settings"]] == [3, 2]


def test_what_is_accepted_and_how_predictions_move_is_counted(services: Services):
    replays = [Replay.of(SMALL, interval_ms=ms, **services._asdict()) for ms in (120_000, 1)]
    counts = Comparison()
    with replays[0].asking() as client:
        found = list(compared(*replays, (client, client), counts))
    assert counts.events == {("accepted", "accepted"): 2, ("accepted", "TOO_LATE"): 1}
    assert found[0].moved == 0.0
    assert found[1].moved == counts.moves.furthest > 0
    assert counts.moved == {"pump-7": 1}
    shown = list(comparison_lines(counts))
    assert "events                  1 accepted, then TOO_LATE" in shown
    assert any(
        line.startswith("device         pump-7: 1 moved, furthest by ") and line.endswith(" at 0/1") for line in shown
    )
    assert comparison_json(counts)["predictions"] == 2
    line = json.loads(found[1].encoded())
    assert line["position"] == "0/1"
    assert line["first"]["features"]["sensor_1/v1"] != line["second"]["features"]["sensor_1/v1"]


def test_a_tick_is_named_by_its_instant():
    counts = Comparison()
    counts.furthest["d"], counts.moved["d"] = (0.5, Pair("d", None, 5, None, None)), 1
    assert list(comparison_lines(counts))[-1] == (
        "device         d: 1 moved, furthest by 0.5 at its tick at 1970-01-01T00:00:00.005Z"
    )


def test_another_model_moves_predictions_of_equal_windows(services: Services, tmp_path: Path):
    model = tmp_path / "new.json"
    model.write_text('{"id": "new/v1", "intercept": 0.5, "weights": {"sensor_1/v1": 0.02}}')
    server = start(ServerSettings.of("inference", port=0, model=str(model)))
    replays = [
        Replay.of(SMALL, **services._asdict()),
        Replay.of(SMALL, features=services.features, inference=server.address),
    ]
    counts = Comparison()
    with ExitStack() as stack:
        clients = tuple(stack.enter_context(replay.asking()) for replay in replays)
        found = list(compared(*replays, clients, counts))  # type: ignore[arg-type]
    server.stop(0.0)
    assert counts.events == {("accepted", "accepted"): 3}
    assert all(one.moved for one in found)


def predictions(*rows: tuple[str | None, int, str]) -> pl.DataFrame:
    lines = [
        {
            "evaluation_id": f"d/{number}/0", "device_id": "d", "cause": "event", "position": position, "event_ms": 1,
            "as_of_ms": as_of_ms, "newest_ms": 1, "oldest_ms": 1, "events": 1, "features": {"f/v1": 0.5},
            "model_id": "m", "result": {"score": score},
        }
        for number, (position, as_of_ms, score) in enumerate(rows)
    ]  # fmt: skip
    return predictions_table(json.dumps(line).encode() for line in lines)


def test_runs_are_joined_by_position_and_ticks_by_instant_whatever_their_ids():
    first = predictions(("0/0", 1, "0.5"), (None, 5, "0.25"), ("0/1", 6, "0.5"), (None, 9, "0.5"))
    second = predictions((None, 5, "0.75"), ("0/0", 1, "0.5"), ("0/0", 1, "0.5"), ("0/2", 7, "0.5"))
    found = compared_runs(first, second)
    assert (found.moves.pairs, found.only_first, found.only_second) == (2, 2, 1)
    assert found.differing.select("position", "moved", "score", "score_other").rows() == [(None, 0.5, 0.25, 0.75)]
    assert any(line == "furthest       d at its tick at 1970-01-01T00:00:00.005Z: 0.5" for line in runs_lines(found))


def test_results_that_are_texts_are_equal_or_cannot_be_compared():
    found = compared_runs(predictions(("0/0", 1, "a"), ("0/1", 1, "b")), predictions(("0/0", 1, "a"), ("0/1", 1, "c")))
    assert (found.moves.pairs, found.moves.incomparable, found.moves.furthest) == (2, 1, 0.0)
    assert found.differing["position"].to_list() == ["0/1"]


def test_runs_without_a_result_in_common_are_an_error():
    other = predictions(("0/0", 1, "1")).rename({"score": "chance"})
    with pytest.raises(SettingsError, match="no result in common: the first has score; the second has chance"):
        compared_runs(predictions(("0/0", 1, "1")), other)
