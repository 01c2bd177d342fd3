"""The core as a state machine beside the oracle: any order of events, clock, restarts, drawn around the limits."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.window_core.drawing import DEVICES, SENSORS, arrivals_to_choose, events_to_choose, row_of, specs
from tests.window_core.pair import Pair
from window_core import Event, Sensors, WindowSpec

DEVICE = st.sampled_from(DEVICES)


class InOrder(RuleBasedStateMachine):
    """A fleet on one partition whose arrivals do not go back."""

    arrivals_go_back = False
    by_records_alone = True

    @initialize(
        spec=specs(),
        sensors=st.sampled_from(SENSORS),
        start_ms=st.sampled_from([1_000, 0, 1_587_920_555_000]),
    )
    def begin(self, spec: WindowSpec, sensors: Sensors, start_ms: int) -> None:
        self.sensors = sensors
        self.pairs = {device_id: Pair(spec, device_id) for device_id in DEVICES}
        self.earliest_ms = start_ms  # of the next record

    @rule(data=st.data(), device_id=DEVICE)
    def record(self, data: st.DataObject, device_id: str) -> None:
        self.draw_record(data, self.pairs[device_id], self.draw_arrival(data, device_id))

    @rule(data=st.data(), device_id=DEVICE, count=st.integers(2, 8))
    def burst(self, data: st.DataObject, device_id: str, count: int) -> None:
        """Records of the same arrival."""
        arrival_ms = self.draw_arrival(data, device_id)
        for _ in range(count):
            self.draw_record(data, self.pairs[device_id], arrival_ms)

    @rule(data=st.data(), device_id=DEVICE)
    def clock(self, data: st.DataObject, device_id: str) -> None:
        now_ms = self.draw_arrival(data, device_id)
        for pair in self.pairs.values():
            pair.on_clock(now_ms)
        self.earliest_ms = now_ms + 1

    @rule(device_id=DEVICE)
    def restart(self, device_id: str) -> None:
        self.pairs[device_id].restore()

    def draw_arrival(self, data: st.DataObject, device_id: str) -> int:
        pair = self.pairs[device_id]
        arrivals = arrivals_to_choose(pair.spec, device_id, pair.oracle, self.earliest_ms)
        arrival_ms = data.draw(st.sampled_from(arrivals), label="arrival_ms")
        self.earliest_ms = arrival_ms
        return arrival_ms

    def draw_record(self, data: st.DataObject, pair: Pair, arrival_ms: int) -> None:
        time_ms, twins = data.draw(
            st.sampled_from(events_to_choose(pair.spec, pair.oracle, arrival_ms)), label="time_ms"
        )
        if twins and data.draw(st.booleans(), label="again"):
            event = data.draw(st.sampled_from(twins))
        else:
            row = row_of(self.sensors, lambda values: data.draw(st.sampled_from(values)))
            event = Event(pair.device_id, time_ms, row)
        if self.arrivals_go_back:
            arrival_ms = max(arrival_ms - data.draw(st.sampled_from([0, 0, 1, 10, 10**6])), 0)
        pair.on_event(event, arrival_ms)

    def teardown(self) -> None:
        for pair in getattr(self, "pairs", {}).values():
            pair.finish(self.earliest_ms, by_records_alone=self.by_records_alone)


class GoingBack(InOrder):
    """Arrivals may go back: then the ticks depend on how the clock ran, which the oracle is told step by step."""

    arrivals_go_back = True
    by_records_alone = False


class Respecified(InOrder):
    """Restarts may bring another spec."""

    by_records_alone = False

    @rule(spec=specs())
    def respecify(self, spec: WindowSpec) -> None:
        for pair in self.pairs.values():
            pair.restore(spec)


TestInOrder = InOrder.TestCase
TestGoingBack = GoingBack.TestCase
TestRespecified = Respecified.TestCase
