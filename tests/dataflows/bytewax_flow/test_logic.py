"""A device in a Bytewax flow: it is kept while it has something due, and resumes from its snapshot."""

import pytest

from dataflows.bytewax_flow.logic import DeviceLogic
from dataflows.bytewax_flow.sealed import sealed, unsealed
from dataflows.pipeline.device import DeviceInput
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.record import LoggedEvent
from tests.events import demo_event
from window_core import DeviceWindow, SnapshotError, WindowSpec

SPEC = WindowSpec(interval_ms=1_000, tick_ms=0, idle_after_ms=1_000, forget_after_ms=1_000)


def logged(time_ms: int, arrival_ms: int | None = None, number: int = 0) -> LoggedEvent:
    arrival_ms = time_ms if arrival_ms is None else arrival_ms
    return LoggedEvent(demo_event("d", time_ms, 1.0, 2.0, 3.0, 4.0), arrival_ms, f"0/{number}")


def device(state: bytes | None = None) -> DeviceLogic:
    return DeviceLogic(SPEC, Metrics(), state)


def taken(logic: DeviceLogic, *values: DeviceInput) -> tuple[list[str], bool]:
    """The ids of the evaluations, or the reasons of rejections; and whether the device is given up."""
    outputs, is_complete = logic.on_batch(list(values))
    return [getattr(output, "reason", None) or output.evaluation_id for output, _ in outputs], is_complete


def test_a_device_takes_all_of_a_batch_in_its_order_and_is_kept() -> None:
    assert taken(device(), logged(5), logged(5), logged(9)) == (
        ["d/5/0", "DUPLICATE", "d/9/1".replace("9", "5")],
        False,
    )


def test_a_device_whose_only_event_was_rejected_is_given_up() -> None:
    assert taken(device(), logged(10**9, 5)) == (["AHEAD_OF_CLOCK"], True)


def test_a_device_is_given_up_once_it_has_expired_and_not_before() -> None:
    logic = device()
    taken(logic, logged(5))
    assert taken(logic, 1_005) == ([], False)
    assert taken(logic, 1_006) == ([], True)


def test_time_for_a_device_that_has_never_begun_gives_it_up() -> None:
    assert taken(device(), 7) == ([], True)


def test_a_device_resumes_from_its_snapshot() -> None:
    before = device()
    taken(before, logged(5), logged(6))
    assert taken(device(before.snapshot()), logged(6), logged(7)) == (["DUPLICATE", "d/5/2"], False)


def test_its_state_is_the_cores_own_snapshot_under_a_seal() -> None:
    logic, window = device(), DeviceWindow(SPEC, "d")
    taken(logic, logged(5))
    window.on_event(logged(5).event, 5)
    assert unsealed(logic.snapshot()) == window.snapshot()


def test_a_damaged_state_is_refused() -> None:
    logic = device()
    taken(logic, logged(5))
    snapshot = logic.snapshot()
    with pytest.raises(SnapshotError):
        device(snapshot[:-1])
    with pytest.raises(SnapshotError):
        device(sealed(b"no window"))
