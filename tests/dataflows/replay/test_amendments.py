"""Amendments are those that going through all later events finds, however often a process dies and goes on."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.record import LoggedEvent
from dataflows.replay import Replay
from dataflows.replay.amendment_state import AmendmentState, Saved
from dataflows.replay.amendments import PartitionAmendments, SavedPartition
from dataflows.replay.revisions import Doubt, doubts
from runtime.errors import SettingsError
from tests.dataflows.logs import DrawnLog
from tests.dataflows.replay.test_revisions import EXAMPLES, LOGS, Row, replay_of, window_of
from window_core import DEMO_SENSORS, Evaluation, SnapshotError

Amended = tuple[str, str | None, list[str], list[Row], list[Row]]


def amendments(replay: Replay, every_ms: int, random: Random | None = None) -> list[Doubt]:
    """Those of a file. With ``random``, the process that makes them dies now and then, and resumes from its state."""

    def begun(saved: SavedPartition | None) -> PartitionAmendments:
        return PartitionAmendments(0, replay.log.reader(0), replay.spec, every_ms, Metrics(), saved)

    found: list[Doubt] = []
    partition = begun(None)
    for record in replay.log.records(0):
        found += partition.take(record)
        if random is not None and random.random() < 0.2:
            encoded = msgspec.msgpack.encode(partition.saved())
            partition = begun(msgspec.msgpack.decode(encoded, type=SavedPartition))
            assert msgspec.msgpack.encode(partition.saved()) == encoded
    return found


def naive(replay: Replay, every_ms: int) -> list[tuple[int, Amended]]:
    """By the instant at which they are due: every evaluation, beside all that came later in its session."""
    happened: dict[tuple[str, int], list[tuple[Evaluation, str | None, int, Row | None]]] = {}
    for read, outputs in replay.steps(0):
        for output, position in outputs:
            if not isinstance(output, Evaluation):
                continue
            row, arrival_ms = None, 0
            if position is not None:
                assert isinstance(read, LoggedEvent)
                row, arrival_ms = (read.event.time_ms, *DEMO_SENSORS.readings(read.event.row)), read.arrival_ms
            session = happened.setdefault((output.device_id, output.columns.session_ms), [])
            session.append((output, position, arrival_ms, row))
    clock_ms = replay.clocks_ms[0] or 0
    found: list[tuple[int, Amended]] = []
    for of_session in happened.values():
        for place, (evaluation, position, _, _) in enumerate(of_session):
            was = window_of(evaluation)
            oldest_ms, newest_ms = evaluation.newest_ms - replay.spec.interval_ms, evaluation.newest_ms
            missed = [
                (-(-arrival_ms // every_ms) * every_ms, str(later), row)
                for _, later, arrival_ms, row in of_session[place + 1 :]
                if row is not None and oldest_ms <= row[0] <= newest_ms
            ]
            for due_ms in sorted({due_ms for due_ms, _, _ in missed if due_ms < clock_ms}):
                by_then = [(later, row) for due, later, row in missed if due <= due_ms]
                now = sorted([*was, *(row for _, row in by_then)], key=lambda row: row[0])
                because = [later for later, _ in by_then]
                found.append((due_ms, (evaluation.evaluation_id, position, because, was, now)))
    return found


def plain(doubt: Doubt) -> Amended:
    now = doubt.now
    assert now.evaluation_id == doubt.was.evaluation_id
    assert now[:4] == doubt.was[:4]
    return now.evaluation_id, doubt.position, doubt.because, window_of(doubt.was), window_of(now)


@given(log=LOGS, every_ms=st.sampled_from((1, 7, 40)), seed=st.integers(0, 1_000))
@settings(max_examples=EXAMPLES)
def test_amendments_are_those_that_going_through_all_later_events_finds(
    log: DrawnLog, every_ms: int, seed: int, tmp_path_factory: pytest.TempPathFactory
):
    every_ms = min(every_ms, max(1, log.spec.forget_after_ms))
    replay = replay_of(replace(log, until_ms=None), tmp_path_factory)
    expected = naive(replay, every_ms)
    found = amendments(replay, every_ms)
    assert sorted(repr(plain(doubt)) for doubt in found) == sorted(repr(one) for _, one in expected)
    due = {repr(one): due_ms for due_ms, one in expected}
    order = [due[repr(plain(doubt))] for doubt in found]
    assert order == sorted(order)
    assert [repr(plain(doubt)) for doubt in amendments(replay, every_ms, Random(seed))] == list(
        map(repr, map(plain, found))
    )
    made = {doubt.was.evaluation_id: doubt.was for doubt in found}
    for _, outputs in replay.steps(0):
        for output, _ in outputs:
            if isinstance(output, Evaluation) and output.evaluation_id in made:
                assert made[output.evaluation_id][:4] == output[:4]


def steady_log(folder: Path, late: Random | None) -> Replay:
    """An event every 10 ms; with ``late``, some come up to the whole interval late. One device sends nothing more."""
    event = '{"device_id":"%s","time":%d,"sensor1":%d,"sensor2":0,"sensor3":0,"sensor4":0,"arrival":%d}\n'
    lines = [event % ("gone", 0, 0, 0)]
    for now_ms in range(1_000, 10_000, 10):
        lines.append(event % ("d", now_ms, now_ms, now_ms))
        if late is not None and late.random() < 0.1:
            lines.append(event % ("d", now_ms - late.randrange(501), now_ms + 1, now_ms + 1))
    (folder / "log.jsonl").write_text("".join(lines))
    window = {"interval_ms": 500, "tick_ms": 0, "idle_after_ms": 1_000, "forget_after_ms": 1_000}
    return Replay.of(str(folder / "log.jsonl"), **window)


def test_what_is_settled_is_dropped_and_a_device_that_has_expired_too(tmp_path: Path):
    replay = steady_log(tmp_path, None)
    partition = PartitionAmendments(0, replay.log.reader(0), replay.spec, 1, Metrics())
    for record in replay.log.records(0):
        assert not list(partition.take(record))
    [device] = partition.saved().devices
    assert device.device_id == "d"
    assert len(device.evaluations.rows) < 16 * (500 + 2 * 500) / 10 + 1  # two intervals, and a half on its way out


def test_the_last_amendment_of_an_evaluation_is_what_revise_tells(tmp_path: Path):
    replay = steady_log(tmp_path, Random(7))
    last, told = (
        {one.was.evaluation_id: (one.position, one.because, window_of(one.was), window_of(one.now)) for one in found}
        for found in (amendments(replay, 1), doubts(replay, Counter()))
    )
    assert len(told) > 500
    assert last.keys() == told.keys()
    assert [key for key, one in told.items() if last[key] != one] == []


def test_a_state_belongs_to_one_log_and_one_output_and_a_damaged_one_is_refused(tmp_path: Path):
    file = tmp_path / "state"
    state = AmendmentState(str(file))
    assert state.read({"--output": "a"}) is None
    state.write(Saved({"--output": "a"}, 3, [SavedPartition(5, 6, None, [], [])]))
    assert state.read({"--output": "a"}) == Saved({"--output": "a"}, 3, [SavedPartition(5, 6, None, [], [])])
    with pytest.raises(SettingsError, match="belongs to --output a, not b: name another file"):
        state.read({"--output": "b"})
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole[:3], b"", whole[:40] + bytes([whole[40] ^ 1]) + whole[41:]):
        file.write_bytes(damaged)
        with pytest.raises(SnapshotError, match="is damaged, or no state of amendments"):
            state.read({"--output": "a"})
    assert AmendmentState(None).read({}) is None
