"""Who holds a thread, who gives it up, and who may be at work; with a clock of the test's own."""

from contextlib import ExitStack
from unittest.mock import Mock, create_autospec

import grpc
import pytest

from grpc_services.python.call_gate import CallGate, Place
from grpc_services.python.errors import UnavailableError


class Call:
    """One that was let in: its place, and what the gate told its caller."""

    def __init__(self, gate: CallGate, ends: ExitStack) -> None:
        self.told: list[tuple[int, str]] = []
        context = create_autospec(grpc.ServicerContext, instance=True)
        context.add_callback.return_value = True
        context._rpc_event = Mock()
        context._rpc_event.call.cancel = lambda code, why: self.told.append((code, why))
        gate.let_in()
        self._leave = ends.enter_context(ExitStack())
        self.place: Place = self._leave.enter_context(gate.call(context))

    def leave(self) -> None:
        self._leave.close()


@pytest.fixture
def ends():
    with ExitStack() as stack:
        yield stack


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


NO_ROOM = (grpc.StatusCode.UNAVAILABLE.value[0], "others needed the thread on which this call waited for its caller")
TOO_LATE = (grpc.StatusCode.DEADLINE_EXCEEDED.value[0], "no request came within 10 s")


def test_when_all_threads_are_held_the_call_that_has_waited_longest_gives_up_its_own(ends):
    gate = CallGate(2, 4, 10.0, clock := Clock())
    calls = [Call(gate, ends) for _ in range(4)]
    clock.now_s = 1.0
    calls[0].place.work()
    calls[0].place.wait()  # it has just shown that its caller is there
    clock.now_s = 2.0
    Call(gate, ends)
    Call(gate, ends)
    assert [call.told for call in calls] == [[], [NO_ROOM], [NO_ROOM], []]
    with pytest.raises(UnavailableError):
        calls[1].place.work()  # its message came too late


def test_calls_whose_messages_may_be_on_their_way_keep_their_threads(ends):
    gate = CallGate(2, 4, 10.0, clock := Clock())
    calls = [Call(gate, ends) for _ in range(4)]
    clock.now_s = 0.019
    waiting = [Call(gate, ends) for _ in range(4)]
    assert [call.told for call in calls] == [[]] * 4
    Call(gate, ends)  # twice as many as there are threads: somebody has to go
    clock.now_s = 0.02
    Call(gate, ends)
    assert [call.told for call in [*calls, *waiting]] == [[NO_ROOM], [NO_ROOM], *[[]] * 6]


def test_where_all_threads_are_at_work_or_queued_for_nobody_else_is_let_in(ends):
    gate = CallGate(9, 2, 10.0, Clock())
    for _ in range(4):
        Call(gate, ends).place.work()
    with pytest.raises(UnavailableError, match=r"^the limit of 9 concurrent calls is reached$"):
        gate.let_in()


def test_only_calls_at_work_count_against_the_limit(ends):
    gate = CallGate(1, 9, 10.0, Clock())
    first, second = Call(gate, ends), Call(gate, ends)
    first.place.work()
    with pytest.raises(UnavailableError):
        gate.let_in()
    with pytest.raises(UnavailableError):
        second.place.work()
    first.place.wait(for_request=False)  # its caller does not read
    third = Call(gate, ends)
    third.place.work()
    third.leave()
    Call(gate, ends).place.work()


def test_a_first_message_has_so_much_time_and_the_next_ones_have_all(ends):
    gate = CallGate(2, 9, 10.0, clock := Clock())
    silent, stream = Call(gate, ends), Call(gate, ends)
    stream.place.work()
    stream.place.wait()
    clock.now_s = 9.9
    gate.end_overdue()
    assert silent.told == []
    clock.now_s = 10.0
    gate.end_overdue()
    gate.end_overdue()
    assert silent.told == [TOO_LATE]
    assert stream.told == []


def test_a_drain_waits_for_what_is_at_work_and_for_answers_on_their_way_only(ends):
    gate = CallGate(3, 9, 10.0, Clock())
    at_work, reading, idle = (Call(gate, ends) for _ in range(3))
    at_work.place.work()
    reading.place.work()
    reading.place.wait(for_request=False)
    gate.drain()
    assert not gate.wait_until_finished(0)
    with pytest.raises(UnavailableError, match=r"^the server is shutting down$"):
        idle.place.work()
    with pytest.raises(UnavailableError, match=r"^the server is shutting down$"):
        gate.let_in()
    reading.place.wait()
    at_work.place.wait()
    assert gate.wait_until_finished(0)
    assert not gate.wait_until_left(0)
    for call in (at_work, reading, idle):
        call.leave()
    assert gate.wait_until_left(0)
